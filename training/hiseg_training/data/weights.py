"""What each class's errors cost in training, from how rare it is; other people a little more, so that people part."""

from __future__ import annotations

import math
from typing import NamedTuple

BOOST = 1.2
"""For other people than the target."""
FLOOR = 1e-3
"""Added to each share, so that a class that is never there has a finite weight."""


class ClassWeights(NamedTuple):
    """One weight a class; they add up to 3."""

    background: float
    target: float
    other: float


def separation_weights(background: float, target: float, other: float) -> ClassWeights:
    """The document's separation-aware weights: the logarithm of how rare a class is, with the boost for other people.

    Args:
        background: share of pixels in RoIs; only proportions matter.
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
