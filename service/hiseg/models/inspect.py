"""``hiseg models check``: what a model file says about itself, whether it can be served, and how fast it runs here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hiseg.core.errors import shorten
from hiseg.engines.base import ModelInfo, Outputs
from hiseg.engines.contract import IMAGES, ModelError, ModelSignature, Shape, contract_violations, mask_output_of
from hiseg.engines.onnx import FATAL, OnnxEngine, ort, read_signature
from hiseg.engines.unreadable import no_file, why_unopened
from hiseg.models.canary import Canary, CanaryMismatch
from hiseg.models.int8 import INT8_FILE, MODEL_FILE
from hiseg.models.self_test import TimedBatch, check_batches

VERSION = "1"
"""Version that a file from anywhere is loaded as."""
MASK_OUTPUT_TEXTS = {
    "wide_masks": "wide_masks: 3 logits a pixel (background, target, other people)",
    "masks": "masks: 3 logits a pixel (background, target, other people)",
    "instance_masks": "instance_masks: 0 or 1 a pixel; thresholds and smoothing have nothing to work with",
}
EFFECT_OF_MISSING = {
    "variant": "taken from the model's name",
    "canvases": "the one in the shape of images is all there is",
    "resize": "images are stretched to the canvas",
    "mask_size": "taken from the shape of the masks",
    "gmac": "the first batches are planned with a guess of what they cost",
    "class_names": "not shown to callers",
    "licence": "not shown to callers",
    "training_data": "not shown to callers",
    "metrics": "not shown to callers",
}
"""Metadata that a file may lack, and what the service does then."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One property that the service would serve the model with.

    Attributes:
        what: name of the property.
        value: its value as text.
        source: how it is known: "metadata", "shape", "type", "name" or "assumed".
    """

    what: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found out about one file.

    Attributes:
        path: path of the file.
        megabytes: size of the file.
        refused: why it can't be served, one sentence each; empty if it can.
        facts: properties that it would be served with; empty if it can't be described.
        missing: metadata that it lacks, and what that means.
        runs: batches that it was run on; none if it was refused for its signature.
    """

    path: Path
    megabytes: float
    refused: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    runs: tuple[TimedBatch, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the file can be served."""
        return not self.refused


def inspect_model(path: Path, threads: int = 0) -> Report:
    """Inspect a file, and run it on random batches if it keeps the tensor contract.

    Args:
        path: any file.
        threads: number of threads for one operator; 0: as many as this process may use cores.
    """
    if why := no_file(path):
        return Report(path, 0.0, (why,))
    megabytes = path.stat().st_size / 1e6
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return Report(path, megabytes, (f"ONNX Runtime cannot open it: {why_unopened(path, error)}",))
    signature = read_signature(session, path)
    del session
    if violations := contract_violations(signature):
        return Report(path, megabytes, tuple(violations))
    try:
        engine = OnnxEngine(path, model_name(path), VERSION, threads)
    except ModelError as error:
        return Report(path, megabytes, (str(error),))
    try:
        runs, problems = check_batches(engine)
    finally:
        engine.close()
    try:
        Canary.load(path.parent)
    except CanaryMismatch as error:
        problems.append(str(error))
    known = set(signature.metadata) if engine.info.has_masks else {*signature.metadata, "mask_size"}
    missing = {key: effect for key, effect in EFFECT_OF_MISSING.items() if key not in known}
    return Report(path, megabytes, tuple(problems), _facts(signature, engine.info), missing, tuple(runs))


def model_name(path: Path) -> str:
    """Name of the model in a file: the model's folder if the file lies in a repository, else the file's stem."""
    of_version = path.name in (MODEL_FILE, INT8_FILE) and path.parent.name.isdecimal()
    return path.absolute().parts[-3] if of_version else path.stem


def _facts(signature: ModelSignature, info: ModelInfo) -> tuple[Fact, ...]:
    """What the service would take the model for, and how it knows."""

    def known(key: str, otherwise: str) -> str:
        return "metadata" if key in signature.metadata else otherwise

    mask_output = mask_output_of(signature)
    pixels = "uint8, 0..255" if info.takes_uint8 else "float32, 0..1; four times the bytes of uint8"
    roi_size = shorten(signature.metadata.get("roi_size", "unknown; nothing depends on it"))
    found = "boxes: a box and a score for each, for models that give masks"
    people: tuple[Fact, ...] = (Fact("people", found if info.is_finder else "none: it gives no masks", "shape"),)
    if mask_output:
        people = (
            Fact("people", MASK_OUTPUT_TEXTS[mask_output], "shape"),
            Fact("mask size", _format_size(info.mask_size), known("mask_size", "shape")),
            Fact("mask extent", f"{info.crop_scale:g} times the box", known("mask_extent", "assumed")),
            Fact("roi size", roi_size, known("roi_size", "assumed")),
        )
    has_foreground = Outputs.FOREGROUND in info.outputs
    foreground = "binary_masks: probability of anybody" if has_foreground else "none: with boxes it is the masks' union"
    return (
        Fact("variant", info.ref.variant, known("variant", "name")),
        Fact("images", pixels, "type"),
        Fact("canvases", ", ".join(_format_size(canvas) for canvas in info.canvases), known("canvases", "shape")),
        Fact("shape of images", _format_shape(signature.inputs[IMAGES]), "shape"),
        Fact("resize", info.resize.value, known("resize", "assumed")),
        *people,
        Fact(
            "precision",
            info.ref.precision or "unknown; nothing depends on it",
            "type" if signature.weights else known("precision", "assumed"),
        ),
        Fact("foreground", foreground, "shape"),
    )


def as_json(report: Report) -> str:
    """The whole report as JSON."""
    return json.dumps({"fits": report.fits} | asdict(report) | {"path": str(report.path)}, indent=2)


def as_text(report: Report) -> str:
    """The report as tables for people; parts without content are left out."""
    verdict = "keeps the tensor contract" if report.fits else "can't be served"
    lines = [f"{report.path}: {report.megabytes:.1f} MB, {verdict}"]
    lines += [f"  refused: {reason}" for reason in report.refused]
    lines += _table((fact.what, fact.value, f"({fact.source})") for fact in report.facts)
    lines += _section("missing from its metadata:", ((key, effect) for key, effect in report.missing.items()))
    lines += _section("tried here:", (_run_row(run) for run in report.runs))
    return "\n".join(lines)


def _run_row(run: TimedBatch) -> tuple[str, ...]:
    images = "1 image" if run.images == 1 else f"{run.images} images"
    people = "1 person" if run.people == 1 else f"{run.people} people"
    return f"{run.canvas[0]}x{run.canvas[1]}", images, people, f"{run.ms:.1f} ms"


def _section(title: str, rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = _table(rows)
    return [title, *table] if table else []


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _format_shape(shape: Shape) -> str:
    """The shape of images; sides of any length are named after what they are, not as the file calls them."""
    sides = zip(shape, ("batch", "channels", "height", "width"), strict=True)
    return " x ".join(str(side) if isinstance(side, int) and side > 0 else name for side, name in sides)


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
