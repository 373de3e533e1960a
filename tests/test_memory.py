"""The peak of memory stays low for large photos, and small photos reuse memory."""

from __future__ import annotations

import io
import platform
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import psutil
import pytest

from benchmarks.gpu_like import command
from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import serving

MEBI = 1024 * 1024


def peak(process: psutil.Process) -> int:
    """Highest resident memory since the last reset, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def minor_faults(pid: int) -> int:
    """Pages that the kernel has had to provide to a process; proc(5), stat, field 10."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back so eagerly")
def test_small_images_reuse_memory() -> None:
    file = io.BytesIO()
    with PIL.Image.open(SAMPLE) as sample:
        sample.resize((640, 480)).save(file, "JPEG", quality=90)
    with serving(command("--constant", "0", "--roi", "0")) as server, httpx.Client(base_url=server.url) as client:

        def faults(requests: int) -> int:
            before = minor_faults(server.process.pid)
            for _ in range(requests):
                client.post("/v1/segment?boxes=", content=file.getvalue(), headers={"content-type": "image/jpeg"})
            return minor_faults(server.process.pid) - before

        faults(20)
        pages = 640 * 480 * 3 // 4096
        assert faults(100) < 0.2 * 100 * pages
