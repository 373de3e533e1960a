"""Statistics of an annotation file: class shares in RoIs, overlaps, sizes, and the class weights that follow.

Definitions and names are those of PINTO0309's human-instance-segmentation ("upstream").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask
from tqdm import tqdm

from hiseg.core.box import Box
from hiseg_training.data.coco import Photo

PADDING = 0.1
"""RoIs are boxes grown by this share of a side on each side, as upstream's statistics have them."""
PERCENTILES = (5, 25, 50, 75, 95)
CLASSES = ("background", "target", "non_target")
Pixels64 = npt.NDArray[np.int64]


def statistics(photos: Iterable[Photo]) -> dict[str, Any]:
    """Count over photos, decoding the masks of one photo at a time; image files are not opened.

    Returns:
        Plain values, ready for JSON, under upstream's names.

    Raises:
        ValueError: a person has no mask, or there are no people.
    """
    pixels = np.zeros(3, dtype=np.int64)
    people: Counter[int] = Counter()
    foreground: list[float] = []
    widths: list[float] = []
    heights: list[float] = []
    areas: list[float] = []
    inside: list[int] = []
    overlaps: list[float] = []
    overlapping = 0
    for photo in tqdm(photos, desc="statistics", mininterval=10):
        people[len(photo.people)] += 1
        counts, rois, share = _classes(photo)
        pixels += counts
        foreground.append(share)
        widths += [p.box.x2 - p.box.x1 for p in photo.people]
        heights += [p.box.y2 - p.box.y1 for p in photo.people]
        areas += [(r.x2 - r.x1) * (r.y2 - r.y1) / (photo.width * photo.height) for r in rois]
        pairs = _box_overlaps([p.box for p in photo.people])
        inside += [int(n) for n in (_box_overlaps(rois) > 0).sum(axis=1) + 1]
        found = pairs[np.triu_indices(len(pairs), 1)]
        overlapping += bool((found > 0).any())
        overlaps += [float(v) for v in found[found > 0]]
    if not widths:
        raise ValueError("there are no people to count")
    ratios = {name: float(n / pixels.sum()) for name, n in zip(CLASSES, pixels, strict=True)}
    return {
        "total_images": people.total(),
        "total_instances": len(widths),
        "images_with_multiple_instances": sum(n for count, n in people.items() if count > 1),
        "pixel_counts": {name: int(n) for name, n in zip(CLASSES, pixels, strict=True)},
        "pixel_ratios": ratios,
        "image_foreground_ratio": _spread(foreground),
        "instance_count_distribution": {str(count): people[count] for count in sorted(people)},
        "overlap_stats": {
            "images_with_overlaps": overlapping,
            "total_overlapping_pairs": len(overlaps),
            "avg_iou": float(np.mean(overlaps)) if overlaps else 0.0,
            "max_iou": max(overlaps, default=0.0),
        },
        "roi_stats": {
            "padding": PADDING,
            "avg_roi_area_ratio": float(np.mean(areas)),
            "avg_instances_per_roi": float(np.mean(inside)),
            "roi_overlap_ratio": float(np.mean(np.array(inside) > 1)),
            "width": _spread(widths),
            "height": _spread(heights),
            "width_to_height": _spread([w / h for w, h in zip(widths, heights, strict=True)]),
        },
        "separation_aware_weights": dict(zip(CLASSES, _weights(ratios), strict=True)),
    }


def _weights(ratios: dict[str, float]) -> Iterable[float]:
    return separation_weights(*(ratios[name] for name in CLASSES))


def _classes(photo: Photo) -> tuple[Pixels64, list[Box], float]:
    """Count a photo's pixels by class.

    Returns:
        int64 ``[3]`` of background, target and other people over all padded RoIs; those RoIs; the foreground's share of
        the photo, 0..1.
    """
    masks = [person.mask() for person in photo.people]
    claims = np.zeros((photo.height, photo.width), dtype=np.uint16)
    for mask in masks:
        claims += mask
    counts = np.zeros(3, dtype=np.int64)
    rois = []
    for person, mask in zip(photo.people, masks, strict=True):
        box = person.box
        dx, dy = PADDING * (box.x2 - box.x1), PADDING * (box.y2 - box.y1)
        roi = Box(box.x1 - dx, box.y1 - dy, box.x2 + dx, box.y2 + dy).clipped(photo.width, photo.height)
        rois.append(roi)
        region = np.s_[math.floor(roi.y1) : math.ceil(roi.y2), math.floor(roi.x1) : math.ceil(roi.x2)]
        anybody = int(np.count_nonzero(claims[region]))
        target = int(np.count_nonzero(mask[region]))
        counts += (mask[region].size - anybody, target, anybody - target)
    return counts, rois, float(np.mean(claims > 0))


def _box_overlaps(boxes: list[Box]) -> npt.NDArray[np.float64]:
    """Return the IoU of each box with each other, float64 ``[n, n]``, 0 on the diagonal."""
    rows = np.array([[b.x1, b.y1, b.x2 - b.x1, b.y2 - b.y1] for b in boxes])
    found = np.asarray(coco_mask.iou(rows, rows, [0] * len(boxes))).reshape(len(boxes), len(boxes))
    np.fill_diagonal(found, 0)
    return found


def _spread(values: list[float]) -> dict[str, float]:
    """Return mean and percentiles of values, by name."""
    numbers = np.array(values)
    return {"mean": float(numbers.mean())} | {
        f"p{p}": float(v) for p, v in zip(PERCENTILES, np.percentile(numbers, PERCENTILES), strict=True)
    }


def statistics_table(found: dict[str, Any]) -> str:
    """Format the result of :func:`statistics` as a Markdown table."""
    overlap, roi, weights = found["overlap_stats"], found["roi_stats"], found["separation_aware_weights"]
    images, people = found["total_images"], found["total_instances"]
    rows = [
        ("images", f"{images:,}"),
        ("people", f"{people:,}, {people / images:.2f} an image"),
        ("images with several people", f"{found['images_with_multiple_instances'] / images:.1%}"),
        ("images with overlapping boxes", f"{overlap['images_with_overlaps'] / images:.1%}"),
        ("overlapping pairs of boxes", f"{overlap['total_overlapping_pairs']:,}, mean IoU {overlap['avg_iou']:.3f}"),
        ("RoIs that meet another", f"{roi['roi_overlap_ratio']:.1%}"),
        ("people an RoI shows", f"{roi['avg_instances_per_roi']:.2f}"),
        ("RoI's share of its image", f"{roi['avg_roi_area_ratio']:.1%}"),
        *((f"box {side}, px (5, 50, 95 %)", _three(roi[side], ".0f")) for side in ("width", "height")),
        ("box width / height (5, 50, 95 %)", _three(roi["width_to_height"], ".2f")),
        ("anybody, share of an image (5, 50, 95 %)", _three(found["image_foreground_ratio"], ".1%")),
        *((f"{name}, share of RoIs", f"{found['pixel_ratios'][name]:.2%}") for name in CLASSES),
        *((f"{name}, weight", f"{weights[name]:.3f}") for name in CLASSES),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        [f"| {'':{width}} | |", f"|{'-' * (width + 2)}|---|", *(f"| {n:{width}} | {v} |" for n, v in rows)]
    )


def _three(spread: dict[str, float], form: str) -> str:
    """Format the 5th, 50th and 95th percentile."""
    return ", ".join(f"{spread[name]:{form}}" for name in ("p5", "p50", "p95"))


BOOST = 1.2
"""Factor on the weight of other people than the target, so that people who touch are told apart."""
FLOOR = 1e-3
"""Added to each share, so that an absent class has a finite weight."""


class ClassWeights(NamedTuple):
    """The loss weight of each class; they add up to 3."""

    background: float
    target: float
    other: float


def separation_weights(background: float, target: float, other: float) -> ClassWeights:
    """Return upstream's separation-aware weights: the logarithm of each class's rarity, other people's boosted.

    Args:
        background: share of background pixels in RoIs; only proportions matter.
        target: share of the person that the RoI is about.
        other: share of other people.

    Raises:
        ValueError: a share is negative, or one class has all pixels.
    """
    shares = (background, target, other)
    total = sum(shares)
    if min(shares) < 0 or max(shares) >= total * (1 - FLOOR):
        raise ValueError(f"shares of pixels are {shares}; none may be negative, and none may be all of them")
    rarity = [math.log(1 / (share / total + FLOOR)) for share in shares]
    # The boost acts on weights, so what they add up to before it does not matter.
    rarity[2] *= BOOST
    return ClassWeights(*(3 * value / sum(rarity) for value in rarity))
