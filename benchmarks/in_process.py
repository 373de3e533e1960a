"""Measures masks without a server against ONNX Runtime called by hand: ``python -m benchmarks.in_process``.

From the bytes of a JPEG to run-length encodings, by three ways that take turns in one run, with as many threads each:
by hand, as ``docs/examples/plain_onnx.py`` does it; ``Session.segment``, one photo after the other; and
``Session.segment_many``. The masks of the first two are compared. Then the same in new processes, from their start.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import PIL.Image
from pycocotools import mask as coco_mask

from benchmarks.harness.paths import ROOT, SAMPLE
from benchmarks.harness.repository import B0, REPOSITORY
from hiseg import Result, Session
from hiseg.engines.cores import available_cores
from hiseg.engines.onnx import ort

PEOPLE = (1, 4, 16)
MANY = 16
"""Photos that ``segment_many`` gets at once."""
MIN_IOU = 0.98
PAUSE_S = 0.2
"""Before each turn: threads of a session by hand spin for a while after a run, and would slow down who comes next."""
Rows = list[tuple[float, float, float, float]]


class ByHand:
    """ONNX Runtime, OpenCV, Pillow and pycocotools, and the tensor contract."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = available_cores()
        self._session: Any = ort.InferenceSession(B0, options, providers=["CPUExecutionProvider"])
        said = self._session.get_modelmeta().custom_metadata_map
        self._canvases, self._extent = json.loads(said["canvases"]), json.loads(said["mask_extent"])

    def segment(self, photo: bytes, boxes: Rows) -> list[dict[str, Any]]:
        """The masks of the people in COCO's compressed run-length encoding."""
        image = np.asarray(PIL.Image.open(io.BytesIO(photo)).convert("RGB"))
        height, width = image.shape[:2]
        scales = [min(canvas[0] / height, canvas[1] / width) for canvas in self._canvases]
        fitting = [
            (canvas[0] * canvas[1], canvas, scale)
            for canvas, scale in zip(self._canvases, scales, strict=True)
            if scale >= max(scales) * 0.998
        ]
        _, canvas, scale = min(fitting)
        content = round(height * scale), round(width * scale)
        how = cv2.INTER_AREA if height > content[0] or width > content[1] else cv2.INTER_LINEAR
        images = np.zeros((1, 3, *canvas), dtype=np.uint8)
        images[0, :, : content[0], : content[1]] = cv2.resize(image, content[::-1], interpolation=how).transpose(
            2, 0, 1
        )
        to_canvas = np.array([content[1] / width / canvas[1], content[0] / height / canvas[0]] * 2)
        rois = np.concatenate([np.zeros((len(boxes), 1)), np.array(boxes) * to_canvas], axis=1).astype(np.float32)
        (logits,) = self._session.run(["wide_masks"], {"images": images, "rois": rois})
        return [self._encode(one, box, width, height) for one, box in zip(logits, boxes, strict=True)]

    def _encode(
        self, logits: np.ndarray, box: tuple[float, float, float, float], width: int, height: int
    ) -> dict[str, Any]:
        background, target, others = logits
        margin = target - np.maximum(background, others)
        x1, y1, x2, y2 = box
        across, down = (x2 - x1) * (self._extent - 1) / 2, (y2 - y1) * (self._extent - 1) / 2
        x1, y1, x2, y2 = x1 - across, y1 - down, x2 + across, y2 + down
        left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
        right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
        sx, sy = margin.shape[1] / (x2 - x1), margin.shape[0] / (y2 - y1)
        matrix = np.array([[sx, 0, (left + 0.5 - x1) * sx - 0.5], [0, sy, (top + 0.5 - y1) * sy - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = right - left, bottom - top
        crop = cv2.warpAffine(margin, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        full = np.zeros((height, width), dtype=np.uint8, order="F")
        full[top:bottom, left:right] = crop > 0
        rle: dict[str, Any] = coco_mask.encode(full)
        return rle


def photos() -> dict[str, bytes]:
    """The sample photo, and the same with twelve megapixels."""
    with PIL.Image.open(SAMPLE) as sample:
        large = io.BytesIO()
        sample.convert("RGB").resize((4000, 3000), PIL.Image.Resampling.BICUBIC).save(large, "JPEG", quality=90)
    return {"sample, 949 x 512": SAMPLE.read_bytes(), "4000 x 3000": large.getvalue()}


def people(count: int, width: int, height: int) -> Rows:
    """Boxes beside one another, in two rows where there are many; they have the shape of standing people or so."""
    rows = 2 if count > 8 else 1
    columns = math.ceil(count / rows)
    w, h = width / columns, height / rows
    wide = min(0.8 * w, 0.5 * h)
    return [
        (
            (k % columns + 0.5) * w - wide / 2,
            (k // columns + 0.1) * h,
            (k % columns + 0.5) * w + wide / 2,
            (k // columns + 0.95) * h,
        )
        for k in range(count)
    ]


def medians(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each case; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            time.sleep(PAUSE_S)
            started = time.perf_counter()
            case()
            if number:  # the first round is a warm-up
                times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(by_hand: ByHand, session: Session, photo: bytes, boxes: Rows, rounds: int) -> str:
    """Measure one photo with one number of people: milliseconds a photo by each way, and ratios, as a row."""

    def many() -> None:
        for outcome in session.segment_many([(photo, boxes)] * MANY):
            assert isinstance(outcome, Result), outcome

    expected = by_hand.segment(photo, boxes)
    for one, other in zip(session.segment(photo, boxes).instances, expected, strict=True):
        iou = float(coco_mask.iou([{**one.rle, "counts": one.counts.encode()}], [other], [0])[0][0])
        assert iou >= MIN_IOU, iou
    found = medians(
        {
            "by hand": lambda: by_hand.segment(photo, boxes),
            "segment": lambda: session.segment(photo, boxes),
            "many": many,
        },
        rounds,
    )
    found["many"] /= MANY
    ratios = [found["by hand"] / found[name] for name in ("segment", "many")]
    numbers = [f"{found[name]:.1f}" for name in ("by hand", "segment", "many")]
    return " | ".join([str(len(boxes)), *numbers, *(f"{ratio:.2f}" for ratio in ratios)])


def first(rounds: int) -> str:
    """Milliseconds from the start of a process to the masks of its first photo."""
    box = people(1, 949, 512)[0]
    code = f"from hiseg import Session; Session(repository={str(REPOSITORY)!r}).segment({str(SAMPLE)!r}, [{box}])"
    example = [str(ROOT / "docs" / "examples" / "plain_onnx.py"), str(B0), str(SAMPLE), ",".join(map(str, box))]

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, cwd=ROOT)

    found = medians({"by hand": lambda: run(*example), "hiseg": lambda: run("-c", code)}, rounds)
    return f"a new process: by hand {found['by hand']:.0f} ms, Session.segment {found['hiseg']:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="measurements of each way")
    rounds = parser.parse_args().rounds
    by_hand = ByHand()
    with Session(repository=REPOSITORY, threads=available_cores()) as session:
        for name, photo in photos().items():
            with PIL.Image.open(io.BytesIO(photo)) as image:
                width, height = image.size
            print(f"{name}: people | by hand, ms | segment | segment_many | speed of segment | of segment_many")
            for count in PEOPLE:
                print(compare(by_hand, session, photo, people(count, width, height), rounds), flush=True)
    print(first(max(3, rounds // 4)))


if __name__ == "__main__":
    main()
