"""Gives each pixel that several masks claim to one person, without an array of the image for each.

Masks are compared in strips of the image. A strip has the highest margin so far at each of its pixels, and whose it
is; the margins are drawn again for the parts of crops that meet others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import Floats
from hiseg.core.result import CropMask
from hiseg.masks.logits import draw_margin

STRIP_ROWS = 128
NO_EVIDENCE = -1e9
"""Margin of a pixel that the model didn't look at, where a mask came by growing: any other claim is better."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A mask, and how sure the model is of it: the margin map and the box that it covers."""

    mask: CropMask
    margin: Floats
    box: Box


@dataclass(frozen=True, slots=True)
class Area:
    """Whole pixels of the image; ``right`` and ``bottom`` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, mask: CropMask) -> Area:
        rows, columns = mask.pixels.shape
        return cls(mask.left, mask.top, mask.left + columns, mask.top + rows)

    @property
    def is_empty(self) -> bool:
        return self.left >= self.right or self.top >= self.bottom

    def within(self, other: Area) -> Area:
        """What both have in common."""
        return Area(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def around(self, other: Area) -> Area:
        """The smallest that has both in it."""
        return Area(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def at(self, left: int, top: int) -> tuple[slice, slice]:
        """Rows and columns of an array whose first pixel is (``left``, ``top``)."""
        return slice(self.top - top, self.bottom - top), slice(self.left - left, self.right - left)


def resolve_overlaps(claims: Sequence[Claim]) -> None:
    """Take pixels away from the masks, in place, until none has two owners.

    A pixel stays with the claim whose margin is highest there; the first in order of equals.
    """
    contested = {number: area for number, area in enumerate(_contested(claims)) if area is not None}
    if not contested:
        return
    left, right = min(a.left for a in contested.values()), max(a.right for a in contested.values())
    first, last = min(a.top for a in contested.values()), max(a.bottom for a in contested.values())
    for top in range(first, last, STRIP_ROWS):
        strip = Area(left, top, right, min(top + STRIP_ROWS, last))
        parts = {number: area.within(strip) for number, area in contested.items()}
        _settle(claims, {number: part for number, part in parts.items() if not part.is_empty}, strip)


def _contested(claims: Sequence[Claim]) -> list[Area | None]:
    """For each claim the smallest area with all that its crop shares with others."""
    areas = [Area.of(claim.mask) for claim in claims]
    shared: list[Area | None] = [None] * len(areas)
    for i, one in enumerate(areas):
        for j in range(i):
            common = one.within(areas[j])
            if not common.is_empty:
                for number in (i, j):
                    known = shared[number]
                    shared[number] = common if known is None else known.around(common)
    return shared


def _settle(claims: Sequence[Claim], parts: dict[int, Area], strip: Area) -> None:
    """Decide one strip between the claims that have a part in it."""
    best = np.full((strip.bottom - strip.top, strip.right - strip.left), -np.inf, dtype=np.float32)
    owner = np.full(best.shape, -1, dtype=np.int16)
    for number, part in parts.items():
        claim, here = claims[number], part.at(strip.left, strip.top)
        margin = _margin(claim, part)
        claimed = claim.mask.pixels[part.at(claim.mask.left, claim.mask.top)]
        wins = claimed & (margin > best[here])
        np.copyto(best[here], margin, where=wins)
        np.copyto(owner[here], number, where=wins)
    for number, part in parts.items():
        mask = claims[number].mask
        mask.pixels[part.at(mask.left, mask.top)] &= owner[part.at(strip.left, strip.top)] == number


def _margin(claim: Claim, part: Area) -> Floats:
    """How sure the model is in that part of the mask."""
    box = claim.box
    inside = part.within(Area(math.floor(box.x1), math.floor(box.y1), math.ceil(box.x2), math.ceil(box.y2)))
    margin = np.full((part.bottom - part.top, part.right - part.left), NO_EVIDENCE, dtype=np.float32)
    if not inside.is_empty:
        drawn = draw_margin(claim.margin, box, inside.left, inside.top, inside.right, inside.bottom)
        margin[inside.at(part.left, part.top)] = drawn
    return margin
