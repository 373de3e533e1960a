"""The requests of a run, drawn from the mixes before it starts: the same ones for the same random seed."""

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
"""Number of different requests; a longer run sends them again, in the same order."""
FIRST_CALLER = ipaddress.IPv4Address("198.18.0.1")
"""First of the addresses set aside for benchmarks (RFC 2544)."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What the requests of a run are like.

    Attributes:
        sizes: mix of image sizes.
        people: mix of boxes in an image.
        options: options of every request, by the service's names.
        callers: number of addresses that requests pretend to come from; 1: they don't pretend.
        photo: file that the images are made of; None: they are synthetic.
    """

    sizes: Mix[Size]
    people: Mix[int]
    options: Mapping[str, str]
    callers: int = 1
    photo: Path | None = None

    def requests(self, random: np.random.Generator) -> list[Request]:
        """Draw the requests, to be sent in turn, over and over.

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
    """Draw a box inside the image, as high and narrow as people are, at least one pixel large: ``x1 y1 x2 y2``."""
    tall = max(1, int(height * random.uniform(0.3, 0.95)))
    wide = min(width, max(1, int(tall * random.uniform(0.3, 0.6))))
    left, top = int(random.integers(0, width - wide + 1)), int(random.integers(0, height - tall + 1))
    return left, top, left + wide, top + tall
