"""Turns any form of a person's outline that annotation programs write into COCO run lengths.

COCO knows a list of polygons ``[[x, y, x, y, …], …]`` and run lengths ``{"size": [h, w], "counts": …}``. Exports have
one flat polygon, points as pairs or as ``{"x": …, "y": …}``, and rings of one or two points that tools leave behind.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from hiseg.core.fields import MISSING, Unclear, number, show, whole_number

Rle = dict[str, object]
Ring = list[float]
LEAST_NUMBERS = 6
"""A ring of fewer has at most two points and encloses nothing."""
FARTHEST = 100_000.0
"""Pixels from the origin beyond which a point is a mistake."""
NUMBERS = {int, float}
ZERO = 48
"""Code of the character that stands for 0 in compressed run lengths; there are 64 such characters."""


def to_rle(segmentation: Any, height: int, width: int) -> Rle | None:
    """Return an outline as compressed run lengths.

    Args:
        segmentation: as it stands in the file.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        The run lengths; None where there is no outline, or where it encloses no pixel.

    Raises:
        Unclear: the outline can't be understood, or is one of an image of another size.
    """
    if isinstance(segmentation, str) and segmentation.lstrip()[:1] in ("[", "{"):
        try:
            segmentation = json.loads(segmentation)
        except ValueError:
            raise Unclear(f"is {show(segmentation)}, which is no outline") from None
    if segmentation in MISSING:
        return None
    if isinstance(segmentation, dict) and "counts" in segmentation:
        found = _run_lengths(segmentation, height, width)
    elif isinstance(segmentation, list) and all(isinstance(part, dict) and "counts" in part for part in segmentation):
        found = dict(coco_mask.merge([_run_lengths(part, height, width) for part in segmentation]))
    elif isinstance(segmentation, list):
        rings = [ring for ring in _rings(segmentation) if len(ring) >= LEAST_NUMBERS]
        found = dict(coco_mask.merge(coco_mask.frPyObjects(rings, height, width))) if rings else {}
    else:
        raise Unclear(f"is {show(segmentation)}, neither polygons nor run lengths")
    return found if found and coco_mask.area(found) else None


def _rings(polygons: list[Any]) -> list[Ring]:
    """Return polygons as flat rings ``x, y, x, y, …``, also ones that enclose nothing."""
    if all(isinstance(part, list) and len(part) == 2 and not isinstance(part[0], list | dict) for part in polygons):
        return [_flat([value for pair in polygons for value in pair], "")]
    if any(isinstance(part, list) for part in polygons):
        return [_ring(part, f"[{index}]") for index, part in enumerate(polygons)]
    return [_ring(polygons, "")]


def _ring(points: Any, where: str) -> Ring:
    if not isinstance(points, list):
        raise Unclear(f"{where} is {show(points)}, which is no polygon".strip())
    if points and isinstance(points[0], dict | list):
        pairs = [_point(point, f"{where}[{index}]") for index, point in enumerate(points)]
        return _flat([value for pair in pairs for value in pair], where)
    return _flat(points, where)


def _point(point: Any, where: str) -> list[Any]:
    if isinstance(point, dict) and "x" in point and "y" in point:
        return [point["x"], point["y"]]
    if isinstance(point, list) and len(point) == 2:
        return point
    raise Unclear(f"{where} is {show(point)}, which is no point")


def _flat(values: list[Any], where: str) -> Ring:
    """Check the numbers of a ring; most are plain numbers already, and then it is quick."""
    if not set(map(type, values)) <= NUMBERS:
        try:
            values = [number(value) for value in values]
        except Unclear as error:
            raise Unclear(f"{where} has a coordinate that {error}".strip()) from None
    if len(values) % 2:
        raise Unclear(f"{where} has {len(values)} numbers, but x and y go in pairs".strip())
    if values and not (max(values) <= FARTHEST and min(values) >= -FARTHEST and sum(values) == sum(values)):
        worst = next(value for value in values if not abs(value) <= FARTHEST)
        raise Unclear(f"{where} has the coordinate {show(worst)}, which is no place in an image".strip())
    return values


def _run_lengths(rle: dict[str, Any], height: int, width: int) -> Rle:
    _check_size(rle.get("size"), height, width)
    counts = rle["counts"]
    if isinstance(counts, str | bytes):
        counts = _characters(counts)
        runs = decode_counts(counts)
    elif isinstance(counts, list):
        runs = np.array([_run(count, index) for index, count in enumerate(counts)], dtype=np.float64)
    else:
        raise Unclear(f"has counts {show(counts)}, neither a text nor a list")
    if runs.size and runs.min() < 0:
        raise Unclear(f"has a negative run length, {runs.min():.15g}")
    if (total := runs.sum()) != height * width:
        raise Unclear(f"has runs of {total:.15g} pixels in all, its image of {width} x {height} has {height * width}")
    size = [height, width]
    if isinstance(counts, bytes):
        return {"size": size, "counts": counts}
    return dict(coco_mask.frPyObjects({"size": size, "counts": [int(run) for run in runs]}, height, width))


def _check_size(size: Any, height: int, width: int) -> None:
    if not isinstance(size, list) or len(size) != 2:
        raise Unclear(f"has run lengths of the size {show(size)}, which is not [height, width]")
    try:
        found = [whole_number(side) for side in size]
    except Unclear:
        raise Unclear(f"has run lengths of the size {show(size)}, which is not [height, width]") from None
    if found != [height, width]:
        swapped = "; [height, width] is the order" if found == [width, height] else ""
        raise Unclear(f"has run lengths for {found[1]} x {found[0]} pixels, its image has {width} x {height}{swapped}")


def _run(count: Any, index: int) -> int:
    try:
        return whole_number(count)
    except Unclear as error:
        raise Unclear(f"has counts[{index}] that {error}") from None


def _characters(counts: str | bytes) -> bytes:
    """Return compressed run lengths as bytes, also where a program wrote Python's ``b'…'`` into the file."""
    if isinstance(counts, bytes):
        return counts
    if counts[:2] in ("b'", 'b"') and counts[-1] == counts[1] and len(counts) > 2:
        counts = counts[2:-1].replace("\\\\", "\\")
    try:
        return counts.encode("ascii")
    except UnicodeEncodeError:
        raise Unclear(f"has counts {show(counts)}, which are no run lengths") from None


def decode_counts(counts: bytes) -> npt.NDArray[np.int64]:
    """Return the run lengths, int64 ``[n]``, that compressed ``counts`` stand for.

    Five bits a character, the lowest first, with a sign; from the fourth run on, differences to the last but one.

    Raises:
        Unclear: they are none.
    """
    bits = np.frombuffer(counts, dtype=np.uint8).astype(np.int64) - ZERO
    if bits.size == 0 or bits.min() < 0 or bits.max() > 63 or bits[-1] & 32:
        raise Unclear(f"has counts {show(counts.decode('ascii', 'replace'))}, which are no run lengths")
    last = (bits & 32) == 0
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise Unclear("has a run length of over 32 bits")
    places = np.arange(bits.size) - np.repeat(starts, lengths)
    runs = np.add.reduceat((bits & 31) << (5 * places), starts)
    # The highest bit of a run's last character is the sign.
    runs -= np.where(bits[ends] & 16, 1 << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
