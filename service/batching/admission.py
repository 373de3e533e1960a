"""Lets so many jobs in and turns the next away at once, so that waiting never grows without bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import Overloaded, Unavailable


class Admission:
    """Counts the jobs inside.

    Args:
        max_jobs: most jobs inside at once.
    """

    def __init__(self, max_jobs: int) -> None:
        self.max_jobs = max_jobs
        self.inside = 0
        self.draining = False

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place for the duration.

        Raises:
            Unavailable: the service is draining.
            Overloaded: all places are taken.
        """
        if self.draining:
            raise Unavailable("the service is shutting down")
        if self.inside >= self.max_jobs:
            raise Overloaded(
                f"{self.inside} requests are being worked on; at most {self.max_jobs} are let in",
                retry_after=1,
                limit=self.max_jobs,
                value=self.inside,
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
