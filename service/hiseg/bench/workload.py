"""What is sent: requests drawn from the mixes before the run, the same ones for the same seed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiseg.bench.mix import Mix, Size
from hiseg.bench.photos import make_photos
from hiseg.bench.sender import Request

REQUESTS = 2048
"""So many different ones; a longer run sends them again, in the same order."""
FIRST_CALLER = ipaddress.IPv4Address("198.18.0.1")
"""Addresses set aside for benchmarks (RFC 2544)."""
MAX_CALLERS = 100_000


@dataclass(frozen=True, slots=True)
class Workload:
    """How the requests of a run look."""

    sizes: Mix[Size]
    people: Mix[int]
    options: Mapping[str, str]
    callers: int = 1
    photo: Path | None = None

    def requests(self, random: np.random.Generator) -> list[Request]:
        """Requests to send in turn, over and over.

        Raises:
            BadOption: the photo can't be read.
        """
        count = max(REQUESTS, self.callers)
        photos = make_photos(dict.fromkeys(self.sizes.values), self.photo, random)
        sizes, people = self.sizes.draw(count, random), self.people.draw(count, random)
        return [
            Request(
                number,
                photos[size],
                tuple(person_box(*size, random) for _ in range(persons)),
                self.options,
                str(FIRST_CALLER + number % self.callers) if self.callers > 1 else None,
            )
            for number, (size, persons) in enumerate(zip(sizes, people, strict=True))
        ]


def person_box(width: int, height: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """A rectangle inside the image, as high and narrow as people are, at least one pixel large."""
    tall = max(1, int(height * random.uniform(0.3, 0.95)))
    wide = min(width, max(1, int(tall * random.uniform(0.3, 0.6))))
    left, top = int(random.integers(0, width - wide + 1)), int(random.integers(0, height - tall + 1))
    return left, top, left + wide, top + tall
