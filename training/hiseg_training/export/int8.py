"""Decides whether a version gets an INT8 file beside its other one: it must be faster, and lose next to nothing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hiseg.engines.processor import int8_instructions
from hiseg_training.data.coco import Photo
from hiseg_training.data.skipped import Tell
from hiseg_training.export.forms import Precision
from hiseg_training.export.measure import headline, open_cpu_runner, speed
from hiseg_training.export.parity import ParityError
from hiseg_training.export.write import convert

INT8_FILE = "model.int8.onnx"
MAX_LOSS = 0.003
"""Most mean IoU, 0..1, that INT8 may lose on the first split."""


def add_int8(
    source: Path,
    built: Path,
    precision: str,
    splits: Mapping[str, Sequence[Photo]],
    calibration: Sequence[Photo],
    tell: Tell,
) -> dict[str, Any]:
    """Make the INT8 file of a version and keep it if it is worth it.

    Args:
        source: the exported file to convert.
        built: folder of the version, which has ``model.onnx``.
        precision: of that file.
        splits: the photos to measure on, by the names of their splits; the first one decides.
        calibration: photos to calibrate on; without any there is no INT8 file.
        tell: gets a line on what was decided.

    Returns:
        Figures of each file, by its precision: the headline of each split, ``ms``, ``bytes``; of what was measured
        and thrown away too.
    """
    files = {precision: built / "model.onnx"}
    if calibration:
        tell("calibrating INT8")
        try:
            convert(source, built / INT8_FILE, Precision.INT8, calibration)
            files[Precision.INT8.value] = built / INT8_FILE
        except ParityError as error:
            tell(f"no INT8 file: {error}")
    found = compare(files, splits)
    if Precision.INT8.value in found:
        if why := refusal(found[precision], found[Precision.INT8.value], next(iter(splits))):
            files[Precision.INT8.value].unlink()
            tell(f"no INT8 file: {why}")
        found[Precision.INT8.value]["published"] = not why
    return found


def compare(files: Mapping[str, Path], splits: Mapping[str, Sequence[Photo]]) -> dict[str, Any]:
    """Return figures of each file, by its precision, as :func:`add_int8`, and the instructions that count for INT8."""
    runners = {precision: open_cpu_runner(path) for precision, path in files.items()}
    times = speed(runners)
    return {
        precision: {
            **{split: headline(runner, photos) for split, photos in splits.items()},
            "ms": times[precision],
            "bytes": files[precision].stat().st_size,
            "processor": int8_instructions(),
        }
        for precision, runner in runners.items()
    }


def refusal(before: Mapping[str, Any], int8: Mapping[str, Any], split: str) -> str:
    """Say why an INT8 file isn't worth having, by figures of :func:`compare` on one split; empty if it is."""
    lost = (before[split] or 0.0) - (int8[split] or 0.0)
    if lost > MAX_LOSS:
        return f"it loses {100 * lost:.2f} points on {split}; at most {100 * MAX_LOSS:.1f} are taken"
    ratio = statistics.geometric_mean([int8["ms"][case] / ms for case, ms in before["ms"].items()])
    return "" if ratio < 1 else f"on this processor it takes {ratio:.2f} times as long"
