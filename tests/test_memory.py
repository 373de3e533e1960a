"""A 12-megapixel photo with 60 people: masks are made crop by crop, so the peak stays low."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import psutil
import pytest

from tests.conftest import SAMPLE, serving

MEBI = 1024 * 1024


def peak(process: psutil.Process) -> int:
    """Highest resident memory since the last reset, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("mask_format", ["coco_rle", "label_map"])
def test_twelve_megapixels_and_sixty_people(mask_format: str) -> None:
    with PIL.Image.open(SAMPLE) as sample:
        tile = np.asarray(sample.resize((667, 600)))
    file = io.BytesIO()
    PIL.Image.fromarray(np.tile(tile, (5, 6, 1))[:3000, :4000]).save(file, "JPEG", quality=90)
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.8, (60, 2)) * (4000, 3000)
    sides = rng.uniform(200, 800, (60, 2))
    boxes = ";".join(f"{x:.0f},{y:.0f},{x + w:.0f},{y + h:.0f}" for (x, y), (w, h) in zip(corners, sides, strict=True))
    query, headers = {"boxes": boxes, "mask_format": mask_format}, {"content-type": "image/jpeg"}
    # A process of its own: one that has worked before may hold memory that would hide the peak.
    with serving() as server:
        process = psutil.Process(server.process.pid)
        idle = process.memory_info().rss
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        answer = httpx.post(
            server.url + "/v1/segment", params=query, content=file.getvalue(), headers=headers, timeout=60
        )
        assert answer.status_code == 200
        above = peak(process) - idle
    assert above < 250 * MEBI, f"{above / MEBI:.0f} MiB above idle"
