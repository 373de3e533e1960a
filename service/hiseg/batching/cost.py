"""What a batch will cost in milliseconds, learnt from what batches really took.

The cost is ``constant + image * images + roi * rois``. It is refitted after every batch by recursive least squares
with exponential forgetting (Haykin, *Adaptive Filter Theory*, chapter on RLS) on relative errors. A time that is far
off counts with the inverse square of its distance, so that a cold start or a stray pause moves the estimate little;
times that stay far off widen what is ordinary, and soon count in full.
"""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from hiseg.engines.base import MIN_COST_MS, Cost

Vector = npt.NDArray[np.float64]

FORGETTING = 0.95
"""Factor by which the weight of a batch shrinks with each one after it: the last twenty batches count."""
NOISE = 0.15
"""Relative spread of the times of equal batches that is expected."""


class CostModel:
    """The current estimate of what a batch costs; it starts from a prior, which weighs less with every batch that runs.

    Args:
        prior: the estimate before any batch has run.
    """

    def __init__(self, prior: Cost) -> None:
        self.now = prior
        self._prior: Vector = np.array(astuple(prior))
        # The prior counts as one observation of each coefficient that may be wrong by three times its size, or where it
        # is next to nothing by some of a small batch's.
        size = np.maximum(self._prior, 0.1 * max(MIN_COST_MS, prior.batch(1, 1)))
        self._prior_weight: Vector = np.diag((NOISE / (3 * size)) ** 2)
        self._xx: Vector = np.zeros((3, 3))
        self._xy: Vector = np.zeros(3)
        self._spread = NOISE

    def observe(self, images: int, rois: int, milliseconds: float) -> None:
        """Learn from a batch of ``images`` images and ``rois`` boxes that took the engine so many milliseconds."""
        expected = max(MIN_COST_MS, self.now.batch(images, rois))
        error = abs(milliseconds / expected - 1)
        weight = min(1.0, 2 * self._spread / error) ** 2 if error else 1.0
        self._spread = max(NOISE / 2, self._spread + 0.2 * (min(error, 3 * self._spread) - self._spread))
        row = np.array([1.0, images, rois]) / expected
        self._xx = FORGETTING * self._xx + weight * np.outer(row, row)
        self._xy = FORGETTING * self._xy + weight * row * (milliseconds / expected)
        self.now = Cost(*self._solve())

    def _solve(self) -> list[float]:
        """Solve the normal equations with no coefficient below 0: the most negative is fixed at 0 until none is."""
        left, right = self._xx + self._prior_weight, self._xy + self._prior_weight @ self._prior
        free = [0, 1, 2]
        solution = np.zeros(3)
        while free:
            solution[:] = 0
            solution[free] = np.linalg.solve(left[np.ix_(free, free)], right[free])
            worst = min(free, key=lambda k: solution[k])
            if solution[worst] >= 0:
                break
            free.remove(worst)
        return [float(value) for value in solution]
