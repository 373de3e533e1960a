"""Decides whether a version gets an INT8 file beside its other one: it must be faster, and lose next to nothing.

It must on every split that it is measured on. INT8 can be as good on photos like those it was calibrated on and worse
on others: a foreground model lost 0.26 points on ``val`` and 0.63 on ``ood``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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

MAX_LOSS_POINTS = 0.3
"""Most points (hundredths of IoU) that INT8 may lose on any split."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an INT8 file is published, and the figures that decided.

    Attributes:
        published: whether it is.
        decided_by: the split on which INT8 loses most; None where none can tell.
        points: what INT8 has more there than the other file, to two digits; negative where it loses.
        times_as_long: geometric mean of the ratios of both files' times, by number of people.
        because: the decision in words, with these figures.
    """

    published: bool
    decided_by: str | None
    points: float | None
    times_as_long: float
    because: str


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
        splits: the photos to measure on, by the names of their splits; each of them may decide.
        calibration: photos to calibrate on; without any there is no INT8 file.
        tell: gets a line on what was decided.

    Returns:
        Figures of each file, by its precision: the headline of each split, ``ms``, ``bytes``; of what was measured
        and thrown away too. Those of INT8 have the fields of its :class:`Decision` as well.
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
        decision = decide(found[precision], found[int8], splits)
        tell(f"{'INT8 file' if decision.published else 'no INT8 file'}: {decision.because}")
        if not decision.published:
            files[int8].unlink()
        found[int8] |= asdict(decision)
    return found


def decide(before: Mapping[str, Any], int8: Mapping[str, Any], splits: Iterable[str]) -> Decision:
    """Decide whether an INT8 file is worth having.

    Args:
        before: figures of the other file, as of :func:`add_int8`.
        int8: its own, of the same splits and numbers of people.
        splits: names of the splits. Those without a figure, since no photo there can tell, decide nothing.
    """
    ratio = round(statistics.geometric_mean([int8["ms"][case] / ms for case, ms in before["ms"].items()]), 2)
    changes = {
        split: round(100 * (int8[split] - before[split]), 2)
        for split in splits
        if before[split] is not None and int8[split] is not None
    }
    if not changes:
        return Decision(False, None, None, ratio, "no split can tell how much it loses")
    worst = min(changes, key=changes.__getitem__)
    points = changes[worst]
    figures = f"{points:+.2f} points on {worst} ({before[worst]:.4f} to {int8[worst]:.4f})"
    others = ", ".join(f"{change:+.2f} on {split}" for split, change in changes.items() if split != worst)
    if others:
        figures += f", the worst of all splits ({others})"
    fits, faster = -points <= MAX_LOSS_POINTS, ratio < 1
    rule = f"at most {MAX_LOSS_POINTS} may be lost on each"
    because = f"{figures}; {rule}" + (f"; it takes {ratio:.2f} times as long on this processor" if fits else "")
    return Decision(fits and faster, worst, points, ratio, because)
