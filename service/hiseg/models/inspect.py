"""Reads what a file says about itself, and tries what it can't say."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from hiseg.engines.base import ModelInfo
from hiseg.engines.contract import IMAGES, ModelSignature, mask_output_of, refusals
from hiseg.engines.onnx import OnnxEngine, spoken
from hiseg.engines.runtime import ort
from hiseg.models.inspect_report import Fact, Report, Run
from hiseg.models.random_inputs import noise

VERSION = "1"
BATCHES = ((1, 0), (1, 1), (1, 3), (2, 3))
"""(images, people) that are tried on the first canvas; the others see one image with one person."""
ROUNDS = 3
GENERATIONS = {
    "wide_masks": "wide_masks: 3 logits a pixel (background, target, other people)",
    "masks": "masks: 3 logits a pixel (background, target, other people)",
    "instance_masks": "instance_masks: 0 or 1 a pixel; thresholds and smoothing have nothing to work with",
}
MISSING = {
    "variant": "taken from the model's name",
    "canvases": "the one in the shape of images is all there is",
    "resize": "pictures are stretched to the canvas",
    "mask_size": "taken from the shape of the masks",
    "gmac": "the first batches are planned with a guess of what they cost",
    "class_names": "not shown to callers",
    "licence": "not shown to callers",
    "training_data": "not shown to callers",
    "metrics": "not shown to callers",
}
"""What the service makes of a file that doesn't say so."""


def examine(path: Path, threads: int = 0) -> Report:
    """Everything about one file; runs it if it can be run.

    Args:
        path: the file.
        threads: for one operator; 0 takes the cores this process may use.
    """
    megabytes = path.stat().st_size / 1e6
    try:
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:
        return Report(path, megabytes, (f"ONNX Runtime cannot open it: {error}",))
    says = spoken(session, path)
    del session
    if refused := refusals(says):
        return Report(path, megabytes, tuple(refused))
    engine = OnnxEngine(path, name_of(path), VERSION, threads)
    try:
        runs, failures = try_batches(engine)
    finally:
        engine.close()
    missing = {key: effect for key, effect in MISSING.items() if key not in says.metadata}
    return Report(path, megabytes, tuple(failures), facts(says, engine.info), missing, tuple(runs))


def name_of(path: Path) -> str:
    """What the model would be called: its folder in a repository, else the file."""
    return path.absolute().parts[-3] if path.stem == "model" and path.parent.name.isdecimal() else path.stem


def facts(says: ModelSignature, info: ModelInfo) -> tuple[Fact, ...]:
    """What the service would go by, and how it knows."""

    def known(key: str, otherwise: str) -> str:
        return "metadata" if key in says.metadata else otherwise

    mask_output = mask_output_of(says) or ""
    pixels = "uint8, 0..255" if info.takes_uint8 else "float32, 0..1; four times the bytes of uint8"
    roi_size = says.metadata.get("roi_size", "not said; nothing depends on it")
    return (
        Fact("variant", info.ref.variant, known("variant", "name")),
        Fact("images", pixels, "type"),
        Fact("canvases", ", ".join(_size(canvas) for canvas in info.canvases), known("canvases", "shape")),
        Fact("shape of images", " x ".join(map(str, says.inputs[IMAGES])), "shape"),
        Fact("resize", info.resize.value, known("resize", "assumed")),
        Fact("people", GENERATIONS[mask_output], "shape"),
        Fact("mask size", _size(info.mask_size), known("mask_size", "shape")),
        Fact("mask extent", f"{info.crop_scale:g} times the box", known("mask_extent", "assumed")),
        Fact("roi size", roi_size, known("roi_size", "assumed")),
        Fact("foreground", "binary_masks: probability of anybody", "shape"),
    )


def try_batches(engine: OnnxEngine) -> tuple[list[Run], list[str]]:
    """What was run and how long it took, and what came of it that can't be right."""
    runs, failures = [], []
    first, *others = engine.info.canvases
    for canvas, images, people in [(first, *batch) for batch in BATCHES] + [(canvas, 1, 1) for canvas in others]:
        batch = noise(canvas, images, people)
        what = f"{images} x {_size(canvas)} with {people} people"
        times = []
        try:
            for _ in range(ROUNDS):
                started = time.perf_counter()
                made = engine.run(batch)
                times.append((time.perf_counter() - started) * 1000)
        except Exception as error:
            failures.append(f"{what}: {error}")
            continue
        shapes = made.logit_margins.shape, made.foreground.shape
        if shapes != ((people, *engine.info.mask_size), (images, *canvas)):
            failures.append(f"{what}: masks and foreground come in shapes {shapes[0]} and {shapes[1]}")
        elif not np.isfinite(made.logit_margins).all():
            failures.append(f"{what}: some masks aren't finite")
        elif not 0 <= made.foreground.min() <= made.foreground.max() <= 1:
            failures.append(f"{what}: the foreground isn't within 0..1")
        runs.append(Run(canvas, images, people, round(statistics.median(times), 2)))
    return runs, failures


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
