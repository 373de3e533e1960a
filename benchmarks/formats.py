"""Measures drawing and encoding of masks in every format: ``python -m benchmarks.formats``.

COCO RLE is compared with pycocotools, which needs the whole image. Every format is measured for one person, and for a
hundred people in a photo of twelve megapixels together with the peak of memory. The logits have the shape of the real
model's, but are generated: blobs with limbs and frayed outlines.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from hiseg.api.answer import to_json
from hiseg.api.encoding import MaskFormat, to_png
from hiseg.core.box import Box
from hiseg.core.image import Floats, Image
from hiseg.core.job import PostProcessing, Smoothing
from hiseg.core.result import Instance, ModelRef, Result
from hiseg.masks.draw import draw_masks
from hiseg.masks.formats.rle import coco_rle
from hiseg.masks.logits import crop_mask

ROUNDS = 40
MODEL = ModelRef("none", "1", "b0")
PEOPLE, WIDTH, HEIGHT = 100, 4000, 3000


@dataclass(frozen=True, slots=True)
class Crowd:
    """Boxes, and the model's rows for them."""

    boxes: list[Box]
    logit_margins: Floats


def logit_margins(count: int, seed: int = 0) -> Floats:
    """float32 ``[count, 128, 96]``: a head, a trunk and limbs, and noise of a few cells."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, 128, 96), dtype=np.float32)
    for row in found:
        body = np.zeros((128, 96), dtype=np.uint8)
        cv2.ellipse(body, (48, 20), (12, 16), 0, 0, 360, 1, cv2.FILLED)
        cv2.ellipse(body, (48, 65), (24, 34), 0, 0, 360, 1, cv2.FILLED)
        for x, y in ((8, 70), (88, 60), (30, 122), (66, 124)):
            end = int(x + rng.integers(-5, 5)), int(y + rng.integers(-5, 3))
            cv2.line(body, (48, 60), end, 1, int(rng.integers(8, 14)))
        inside = cv2.distanceTransform(body, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - body, cv2.DIST_L2, 3)
        row[:] = inside + cv2.GaussianBlur(rng.normal(0, 4, (128, 96)).astype(np.float32), (0, 0), 1.5)
    return found


def crowd() -> Crowd:
    """A hundred people from 250 to 900 pixels high, all over the photo, meeting here and there."""
    rng = np.random.default_rng(1)
    heights = rng.uniform(250, 900, PEOPLE)
    widths = heights * rng.uniform(0.35, 0.6, PEOPLE)
    corners = zip(rng.uniform(0, WIDTH - widths), rng.uniform(0, HEIGHT - heights), widths, heights, strict=True)
    return Crowd([Box(x, y, x + w, y + h) for x, y, w, h in corners], logit_margins(PEOPLE))


def medians(calls: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of each, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def against_pycocotools() -> None:
    """A person of 600 pixels in 1080p; the same bytes come out."""
    width, height = 1920, 1080
    mask, _ = crop_mask(logit_margins(1)[0], Box(700, 300, 1000, 900), width, height)

    def theirs() -> bytes:
        canvas = np.zeros((height, width), dtype=np.uint8, order="F")
        canvas[300:900, 700:1000] = mask.pixels
        return bytes(coco_mask.encode(canvas)["counts"])

    canvas = np.zeros((height, width), dtype=np.uint8, order="F")
    canvas[300:900, 700:1000] = mask.pixels
    assert coco_rle(mask, width, height)["counts"].encode() == theirs()
    calls = {
        "ours": lambda: coco_rle(mask, width, height),
        "pycocotools on a canvas": theirs,
        "pycocotools, canvas there already": lambda: coco_mask.encode(canvas),
    }
    found = medians(calls, 200)
    print(f"COCO RLE of 300 x 600 pixels in 1080p, ms: {shown(found)}")
    print(
        "  ours takes "
        + ", ".join(f"{found['ours'] / ms:.2f} of {name}" for name, ms in found.items() if name != "ours")
    )


def every_format() -> None:
    """The whole answer for that person, as the worker's thread writes it."""
    width, height = 1920, 1080
    pixels = cv2.resize(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8), (width, height))
    image, box = Image(np.asarray(pixels, dtype=np.uint8)), Box(700, 300, 1000, 900)
    mask, score = crop_mask(logit_margins(1)[0], box, width, height)
    result = Result(width, height, (), (Instance(box, mask, score),), None, MODEL)
    for form in MaskFormat:
        answer = (
            (lambda f=form: to_png(image, result, f)) if form.is_image else (lambda f=form: to_json(image, result, f))
        )
        (ms,) = medians({form: answer}).values()
        written = answer()
        size = len(written) if isinstance(written, bytes) else len(written.model_dump_json())
        print(f"  {form}: {ms:.2f} ms, {size / 1000:.1f} KB")


def finishes() -> None:
    """What each option adds for a hundred people in twelve megapixels."""
    people = crowd()
    options = {
        "plain": PostProcessing(),
        "edge": PostProcessing(smoothing=Smoothing.EDGE),
        "bilateral": PostProcessing(smoothing=Smoothing.BILATERAL),
        "dilation_px=10": PostProcessing(dilation_px=10),
        "resolve_overlaps": PostProcessing(resolve_overlaps=True),
    }
    calls = {
        name: lambda finish=finish: draw_masks(people.logit_margins, people.boxes, WIDTH, HEIGHT, finish)
        for name, finish in options.items()
    }
    print(f"100 people in 12 megapixels, drawing alone, ms: {shown(medians(calls, 7))}")


def hundred_people(form: MaskFormat, rounds: int = 7) -> tuple[float, float]:
    """Milliseconds of masks and encoding together, and the megabytes that the first such answer of a process took."""
    people = crowd()
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:] = np.arange(WIDTH, dtype=np.uint8)[None, :, None]
    image = Image(pixels)

    def answer() -> object:
        found = draw_masks(people.logit_margins, people.boxes, WIDTH, HEIGHT, PostProcessing())
        result = Result(WIDTH, HEIGHT, (), found, None, MODEL)
        if form.is_image:
            return to_png(image, result, form)
        return to_json(image, result, form).model_dump_json(exclude_none=True)

    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    answer()
    above = (status("VmHWM") - before) / 1e6
    return medians({form: answer}, rounds)[form], above


def status(name: str) -> int:
    """A line of Linux's account of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def shown(found: Mapping[str, float]) -> str:
    """``name ms`` of each."""
    return ", ".join(f"{name} {ms:.2f}" for name, ms in found.items())


if __name__ == "__main__":
    against_pycocotools()
    print("one person of 300 x 600 in 1080p, the whole answer:")
    every_format()
    finishes()
    pixels = sum(box.area for box in crowd().boxes) / 1e6
    print(f"100 people in 12 megapixels, {pixels:.1f} megapixels of boxes, masks and encoding:")
    # A process each: one that has worked before may hold memory that would hide the peak.
    with get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        for form in MaskFormat:
            ms, above = processes.apply(hundred_people, (form,))
            print(f"  {form}: {ms:.0f} ms, {above:.0f} MB above", flush=True)
