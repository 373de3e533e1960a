"""How long a model's batches take, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
STEPS = ("read", "model", "draw")


class Timings:
    """Seconds of each step of each batch."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {step: [] for step in STEPS}
        self.images = 0

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Time what is done inside."""
        started = perf_counter()
        yield
        self._seconds[step].append(perf_counter() - started)

    def each(self, step: str, items: Iterator[Item]) -> Iterator[Item]:
        """The same items; it is timed how long each takes to come."""
        while True:
            started = perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            self._seconds[step].append(perf_counter() - started)
            yield item

    def table(self) -> str:
        """Markdown: median and 95th percentile of a batch, and images a second, step by step and for all."""
        rows = ["| step | median of a batch, ms | p95, ms | images/s |", "|---|---:|---:|---:|"]
        every = {**self._seconds, "all": [sum(batch) for batch in zip(*self._seconds.values(), strict=True)]}
        for step, seconds in every.items():
            median, p95 = np.percentile(np.array(seconds) * 1000, (50, 95))
            rows.append(f"| {step} | {median:.1f} | {p95:.1f} | {self.images / sum(seconds):.1f} |")
        return "\n".join(rows)
