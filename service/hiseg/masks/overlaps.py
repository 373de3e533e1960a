"""Gives each pixel that several masks claim to one person, without an array of the image for each.

Near-duplicates of a person don't share the person's pixels out: the first of them keeps all. Everybody else's masks are
compared in strips of the image. A strip has the highest log-odds so far at each of its pixels, and whose they
are; log-odds are drawn again for the parts of crops that meet others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiseg.core.box import SAME_PERSON_IOU, Box
from hiseg.core.image import BoolMask, Floats
from hiseg.core.result import CropMask
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.logits import resample

STRIP_ROWS = 128
"""Height of a strip in pixels of the image."""
NO_EVIDENCE = -1e9
"""Log-odds of a pixel outside of the model's crop, which dilation added to a mask: any other claim is better."""
COMPARED_SIDE = 128
"""About so many rows and columns of two masks are compared to find out whether they are the same."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A mask, and how sure the model is of it.

    Attributes:
        mask: the mask; pixels that others get are taken away from it in place.
        logit_margin: float32 ``[mh, mw]``, log-odds of "this pixel is the person"; its edges are the box's edges.
        box: what the map covers, in image pixels.
        person: the person's own box, in image pixels; not empty.
    """

    mask: CropMask
    logit_margin: Floats
    box: Box
    person: Box


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of whole pixels of the image; ``right`` and ``bottom`` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, mask: CropMask) -> Area:
        """The area that the crop of a mask covers."""
        rows, columns = mask.pixels.shape
        return cls(mask.left, mask.top, mask.left + columns, mask.top + rows)

    @property
    def is_empty(self) -> bool:
        """Whether it has no pixels."""
        return self.left >= self.right or self.top >= self.bottom

    def intersection(self, other: Area) -> Area:
        """The area that both have in common."""
        return Area(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def union(self, other: Area) -> Area:
        """The smallest area that contains both."""
        return Area(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def index_in(self, left: int, top: int) -> tuple[slice, slice]:
        """Index of the area in an array ``[h, w]`` whose first pixel is (``left``, ``top``) of the image."""
        return slice(self.top - top, self.bottom - top), slice(self.left - left, self.right - left)


def resolve_overlaps(claims: Sequence[Claim], stop: Stop = NEVER) -> None:
    """Take pixels away from masks, in place, until none belongs to two of them.

    A pixel stays with the claim of the highest log-odds there; among equals with the first. A claim on the same person
    as an earlier one is left without any: pixel by pixel, both would be left with half a person.

    Args:
        claims: the masks.
        stop: looked at before each strip.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    claims = _without_duplicates(claims, stop)
    contested = {number: area for number, area in enumerate(_contested(claims)) if area is not None}
    if not contested:
        return
    left, right = min(a.left for a in contested.values()), max(a.right for a in contested.values())
    first, last = min(a.top for a in contested.values()), max(a.bottom for a in contested.values())
    for top in range(first, last, STRIP_ROWS):
        stop.check()
        strip = Area(left, top, right, min(top + STRIP_ROWS, last))
        parts = {number: area.intersection(strip) for number, area in contested.items()}
        _resolve_strip(claims, {number: part for number, part in parts.items() if not part.is_empty}, strip)


def _without_duplicates(claims: Sequence[Claim], stop: Stop) -> list[Claim]:
    """The claims less those whose box and mask both overlap an earlier one's by an IoU of :data:`SAME_PERSON_IOU`.

    The masks of the others are emptied. Boxes alone don't tell: two people who embrace may have almost the same.
    """
    near = near_duplicates([claim.person for claim in claims])
    kept: list[int] = []
    for number, claim in enumerate(claims):
        stop.check()
        if any(_same_mask(claims[other].mask, claim.mask) for other in kept if near[number, other]):
            claim.mask.pixels[:] = False
        else:
            kept.append(number)
    return [claims[number] for number in kept]


def near_duplicates(boxes: Sequence[Box]) -> BoolMask:
    """Which boxes overlap by an IoU of at least :data:`SAME_PERSON_IOU`: bool ``[n, n]`` for ``n`` boxes with area."""
    edges = np.array([box.as_tuple() for box in boxes], dtype=np.float64).reshape(-1, 4)
    low = np.maximum(edges[:, None, :2], edges[None, :, :2])
    high = np.minimum(edges[:, None, 2:], edges[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = (edges[:, 2:] - edges[:, :2]).prod(axis=1)
    return np.asarray(shared >= SAME_PERSON_IOU * (area[:, None] + area[None, :] - shared))


def _same_mask(one: CropMask, two: CropMask) -> bool:
    """Whether the IoU of two masks is at least :data:`SAME_PERSON_IOU`, judged by every few rows and columns."""
    first, second = Area.of(one), Area.of(two)
    both, common = first.union(second), first.intersection(second)
    steps = ((both.bottom - both.top) // COMPARED_SIDE + 1, (both.right - both.left) // COMPARED_SIDE + 1)

    def sample(mask: CropMask, area: Area) -> BoolMask:
        rows, columns = area.index_in(mask.left, mask.top)
        # On the same rows and columns of the image whatever area it is.
        start = (-area.top % steps[0], -area.left % steps[1])
        return mask.pixels[rows, columns][start[0] :: steps[0], start[1] :: steps[1]]

    shared = 0 if common.is_empty else np.count_nonzero(sample(one, common) & sample(two, common))
    claimed = np.count_nonzero(sample(one, first)) + np.count_nonzero(sample(two, second)) - shared
    return bool(shared >= SAME_PERSON_IOU * claimed)


def _contested(claims: Sequence[Claim]) -> list[Area | None]:
    """For each claim the smallest area with all pixels that its crop shares with others; None if it shares none."""
    areas = [Area.of(claim.mask) for claim in claims]
    shared: list[Area | None] = [None] * len(areas)
    for i, one in enumerate(areas):
        for j in range(i):
            common = one.intersection(areas[j])
            if not common.is_empty:
                for number in (i, j):
                    known = shared[number]
                    shared[number] = common if known is None else known.union(common)
    return shared


def _resolve_strip(claims: Sequence[Claim], parts: dict[int, Area], strip: Area) -> None:
    """Resolve one strip between the claims that have a part in it, by their numbers."""
    best = np.full((strip.bottom - strip.top, strip.right - strip.left), -np.inf, dtype=np.float32)
    owner = np.full(best.shape, -1, dtype=np.int16)
    for number, part in parts.items():
        claim, index = claims[number], part.index_in(strip.left, strip.top)
        log_odds = _log_odds(claim, part)
        claimed = claim.mask.pixels[part.index_in(claim.mask.left, claim.mask.top)]
        wins = claimed & (log_odds > best[index])
        np.copyto(best[index], log_odds, where=wins)
        np.copyto(owner[index], number, where=wins)
    for number, part in parts.items():
        mask = claims[number].mask
        mask.pixels[part.index_in(mask.left, mask.top)] &= owner[part.index_in(strip.left, strip.top)] == number


def _log_odds(claim: Claim, part: Area) -> Floats:
    """The log-odds of a claim in a part of its mask's crop, float32 ``[h, w]`` of the part's size."""
    box = claim.box
    inside = part.intersection(Area(math.floor(box.x1), math.floor(box.y1), math.ceil(box.x2), math.ceil(box.y2)))
    log_odds = np.full((part.bottom - part.top, part.right - part.left), NO_EVIDENCE, dtype=np.float32)
    if not inside.is_empty:
        drawn = resample(claim.logit_margin, box, inside.left, inside.top, inside.right, inside.bottom)
        log_odds[inside.index_in(part.left, part.top)] = drawn
    return log_odds
