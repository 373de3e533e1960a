"""A 12-megapixel photo with 60 people: masks are made crop by crop, so the peak stays low."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import psutil
import pytest

from tests.conftest import SAMPLE, Server

MEBI = 1024 * 1024


def peak(process: psutil.Process) -> int:
    """Highest resident memory since the last reset, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("mask_format", ["coco_rle", "label_map"])
def test_twelve_megapixels_and_sixty_people(server: Server, client: httpx.Client, mask_format: str) -> None:
    with PIL.Image.open(SAMPLE) as sample:
        tile = np.asarray(sample.resize((667, 600)))
    file = io.BytesIO()
    PIL.Image.fromarray(np.tile(tile, (5, 6, 1))[:3000, :4000]).save(file, "JPEG", quality=90)
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.7, (60, 2)) * (4000, 3000)
    sides = rng.uniform(300, 1100, (60, 2))
    boxes = ";".join(f"{x:.0f},{y:.0f},{x + w:.0f},{y + h:.0f}" for (x, y), (w, h) in zip(corners, sides, strict=True))
    process = psutil.Process(server.process.pid)
    idle = process.memory_info().rss
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    parameters = {"boxes": boxes, "mask_format": mask_format}
    answer = client.post(
        "/v1/segment", params=parameters, content=file.getvalue(), headers={"content-type": "image/jpeg"}
    )
    assert answer.status_code == 200
    above = peak(process) - idle
    assert above < 250 * MEBI, f"{above / MEBI:.0f} MiB above idle"
