"""Decides whether a version gets an INT8 file beside its other one: it must be faster, and lose next to nothing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hiseg.engines.processor import int8_instructions
from hiseg.models.int8 import INT8_FILE, MODEL_FILE
from hiseg_training.data.coco import Photo
from hiseg_training.data.skipped import Tell
from hiseg_training.export.forms import Precision
from hiseg_training.export.measure import headline, open_cpu_runner, speed
from hiseg_training.export.parity import ParityError
from hiseg_training.export.write import convert

MAX_LOSS = 0.003
"""Most mean IoU, 0..1, that INT8 may lose on the first split."""


def add_int8(
    source: Path,
    built: Path,
    precision: str,
    headlines: Mapping[str, float | None],
    splits: Mapping[str, Sequence[Photo]],
    calibration: Sequence[Photo],
    tell: Tell,
) -> dict[str, Any]:
    """Make the INT8 file of a version and keep it if it is worth it.

    Args:
        source: the exported file to convert.
        built: folder of the version, which has ``model.onnx``.
        precision: of that file.
        headlines: its headline on each split.
        splits: the photos to measure on, by the names of their splits; the first one decides.
        calibration: photos to calibrate on; without any there is no INT8 file.
        tell: gets a line on what was decided.

    Returns:
        Figures of each file, by its precision: the headline of each split, ``ms``, ``bytes``; of what was measured
        and thrown away too.
    """
    int8 = Precision.INT8.value
    files, figures = {precision: built / MODEL_FILE}, {precision: headlines}
    if calibration:
        tell("calibrating INT8")
        try:
            convert(source, built / INT8_FILE, Precision.INT8, calibration)
            files[int8] = built / INT8_FILE
        except ParityError as error:
            tell(f"no INT8 file: {error}")
    runners = {name: open_cpu_runner(path) for name, path in files.items()}
    if int8 in files and int8 != precision:
        figures[int8] = {split: headline(runners[int8], photos) for split, photos in splits.items()}
    times = speed(runners)
    found: dict[str, Any] = {
        name: {
            **figures[name],
            "ms": times[name],
            "bytes": path.stat().st_size,
            "processor": int8_instructions(),
        }
        for name, path in files.items()
    }
    if int8 in found and int8 != precision:
        if why := refusal(found[precision], found[int8], next(iter(splits))):
            files[int8].unlink()
            tell(f"no INT8 file: {why}")
        found[int8]["published"] = not why
    return found


def refusal(before: Mapping[str, Any], int8: Mapping[str, Any], split: str) -> str:
    """Say why an INT8 file isn't worth having, by figures of :func:`add_int8` on one split; empty if it is."""
    lost = (before[split] or 0.0) - (int8[split] or 0.0)
    if lost > MAX_LOSS:
        return f"it loses {100 * lost:.2f} points on {split}; at most {100 * MAX_LOSS:.1f} are taken"
    ratio = statistics.geometric_mean([int8["ms"][case] / ms for case, ms in before["ms"].items()])
    return "" if ratio < 1 else f"on this processor it takes {ratio:.2f} times as long"
