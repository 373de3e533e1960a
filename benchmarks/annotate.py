"""Compares `hiseg annotate` with the service's peak, and with a loop of `hiseg run`: ``python -m benchmarks.annotate``.

All of them get the photos and boxes of `val`, and take turns. What starting the command takes is measured with a file
of one photo, and taken off; then photos of twelve megapixels show what memory the command takes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import PIL.Image

from benchmarks.harness.paths import HISEG, ROOT, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.serving import serving
from benchmarks.loads import MEBI, highest_memory, load
from hiseg.bench.run import ClosedLoop
from hiseg.bench.sender import Request
from hiseg.photos.pipeline import AT_ONCE
from hiseg_training.data.coco import data_root

CALLERS = AT_ONCE
"""As many as the command has photos in progress."""
LARGE = (4000, 3000)
LARGE_COUNTS = (8, 64)


def annotate(boxes: Path, images: Path, *arguments: str) -> float:
    """Seconds of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [HISEG, "annotate", boxes, "--images", images, "-o", Path(folder, "masks.json"), *arguments]
        started = time.perf_counter()
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
        return time.perf_counter() - started


def run_each(content: dict[str, Any], images: Path, photos: int) -> float:
    """Seconds a photo of a command for each, as a shell would loop over them."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for request, image in zip(to_requests(content, images)[:photos], content["images"], strict=False):
            boxes = [part for box in request.boxes for part in ("--box", ",".join(map(str, box)))]
            command = [HISEG, "run", images / image["file_name"], *boxes, "--json", Path(folder, f"{image['id']}.json")]
            subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return (time.perf_counter() - started) / photos


def to_requests(content: dict[str, Any], images: Path) -> list[Request]:
    """The photos with their boxes, as the load generator sends them."""
    rows: dict[int, list[tuple[int, int, int, int]]] = {}
    for row in content["annotations"]:
        x, y, width, height = row["bbox"]
        rows.setdefault(row["image_id"], []).append((round(x), round(y), round(x + width), round(y + height)))
    photos = [((images / image["file_name"]).read_bytes(), tuple(rows[image["id"]])) for image in content["images"]]
    return [Request(number, data, boxes, {}) for number, (data, boxes) in enumerate(photos)]


def first(content: dict[str, Any], count: int, folder: Path) -> tuple[dict[str, Any], Path]:
    """The first photos that have people, and a file of them."""
    peopled = {row["image_id"] for row in content["annotations"]}
    images = [image for image in content["images"] if image["id"] in peopled][:count]
    ids = {image["id"] for image in images}
    annotations = [row for row in content["annotations"] if row["image_id"] in ids]
    kept = content | {"images": images, "annotations": annotations}
    path = folder / f"first_{count}.json"
    path.write_text(json.dumps(kept))
    return kept, path


def throughput(photos: int, rounds: int, seconds: float, folder: Path) -> None:
    """Milliseconds a photo of each way, and their ratios to the service's peak."""
    images = data_root() / "images" / "val"
    whole = json.loads((data_root() / "annotations" / "instances_val_person_only_no_crowd.json").read_text())
    content, path = first(whole, photos, folder)
    _, single = first(whole, 1, folder)
    sent, count = to_requests(content, images), len(content["images"])
    print(f"{count} photos, {len(content['annotations'])} people; ms a photo, and of the service's peak")
    found: dict[str, list[float]] = {}
    with serving() as server:
        load(server.url, sent, ClosedLoop(CALLERS), 2)
        for _ in range(rounds):
            peak = 1 / load(server.url, sent, ClosedLoop(CALLERS), seconds, warm_up=1).ok_per_s
            start, start_server = annotate(single, images), annotate(single, images, "--server", server.url)
            here, there = annotate(path, images), annotate(path, images, "--server", server.url)
            taken = {
                "the service's peak over HTTP": peak,
                "annotate": (here - start) / (count - 1),
                "annotate, its start included": here / count,
                "annotate --server": (there - start_server) / (count - 1),
            }
            print("  " + "; ".join(f"{name} {1000 * each:.1f} ms ({peak / each:.2f})" for name, each in taken.items()))
            for name, each in taken.items():
                found.setdefault(name, []).append(each / peak)
        few = min(5, count)
        each = run_each(content, images, few)
        print(f"  hiseg run in a loop over {few} photos: {1000 * each:.0f} ms a photo; starting annotate {start:.1f} s")
    for name, ratios in found.items():
        print(f"{name}: {1 / statistics.median(ratios):.2f} of the peak's throughput (median of {rounds})")


def memory(folder: Path) -> None:
    """The highest resident memory of the command, by number of photos of twelve megapixels."""
    with PIL.Image.open(SAMPLE) as picture:
        scale = LARGE[0] / picture.width, LARGE[1] / picture.height
        picture.resize(LARGE, PIL.Image.Resampling.BICUBIC).save(folder / "large.jpg", quality=92)
    boxes = [
        [x1 * scale[0], y1 * scale[1], (x2 - x1) * scale[0], (y2 - y1) * scale[1]] for x1, y1, x2, y2 in SAMPLE_BOXES
    ]
    for count in LARGE_COUNTS:
        # Each a file of its own, since two names for one file are refused.
        for n in range(count):
            target = folder / f"{n}.jpg"
            if not target.exists():
                os.link(folder / "large.jpg", target)
        content = {
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(count)],
            "annotations": [{"image_id": n, "category_id": 1, "bbox": box} for n in range(count) for box in boxes],
            "categories": [{"id": 1, "name": "person"}],
        }
        (folder / "large.json").write_text(json.dumps(content))
        command = [HISEG, "annotate", folder / "large.json", "--images", folder, "-o", folder / "masks.json"]
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        with highest_memory(process.pid) as highest:
            process.wait()
        seconds = time.perf_counter() - started
        print(f"{count} photos of {LARGE[0]} x {LARGE[1]}: {highest[-1] / MEBI:.0f} MiB, {seconds:.1f} s in all")


def main() -> None:
    """Throughput, then memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=212)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8, help="of each run of the load generator")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        throughput(given.photos, given.rounds, given.seconds, Path(folder))
        memory(Path(folder))


if __name__ == "__main__":
    main()
