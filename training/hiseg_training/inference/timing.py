"""Measures how long the steps of predicting take, batch by batch, and prints that as a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
STEPS = ("read", "model", "draw")


class Timings:
    """Seconds that each step of each batch took, and the number of images in all batches."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {step: [] for step in STEPS}
        self.images = 0

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Time the body of the ``with`` block as one batch's ``step``."""
        started = perf_counter()
        yield
        self._seconds[step].append(perf_counter() - started)

    def time_each(self, step: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the same items, timing how long each takes to arrive as one batch's ``step``."""
        while True:
            started = perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            self._seconds[step].append(perf_counter() - started)
            yield item

    def table(self) -> str:
        """Return a Markdown table of each step and of all: median and 95th percentile of a batch in ms, and images/s.

        Raises:
            ValueError: no batch was timed.
        """
        if not self.images:
            raise ValueError("no batch was timed")
        rows = ["| step | median of a batch, ms | p95, ms | images/s |", "|---|---:|---:|---:|"]
        every = {**self._seconds, "all": [sum(batch) for batch in zip(*self._seconds.values(), strict=True)]}
        for step, seconds in every.items():
            median, p95 = np.percentile(np.array(seconds) * 1000, (50, 95))
            rows.append(f"| {step} | {median:.1f} | {p95:.1f} | {self.images / sum(seconds):.1f} |")
        return "\n".join(rows)
