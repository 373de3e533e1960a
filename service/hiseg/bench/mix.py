"""Mixes: which image sizes and numbers of people occur in a run, and how often, as the command line writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from hiseg.core.command_errors import BadOption

T = TypeVar("T")
Size = tuple[int, int]
"""Width and height, pixels."""
MAX_SIDE = 16384
MAX_PEOPLE = 1000


@dataclass(frozen=True, slots=True)
class Mix(Generic[T]):
    """Values and how often each of them occurs.

    Attributes:
        values: the values that occur.
        weights: how often each of them does, relative to the others; above 0.
    """

    values: tuple[T, ...]
    weights: tuple[float, ...]

    def draw(self, count: int, random: np.random.Generator) -> list[T]:
        """Draw ``count`` of the values at random."""
        shares = np.asarray(self.weights) / sum(self.weights)
        return [self.values[index] for index in random.choice(len(self.values), count, p=shares)]


def parse_sizes(text: str, option: str = "--sizes") -> Mix[Size]:
    """Parse ``640x480:3,1280x720:1``: widths and heights, three times as many of the first as of the second.

    Raises:
        BadOption: a part of the text is wrong; the error names it.
    """
    values: list[Size] = []
    weights: list[float] = []
    for part, value, weight in _weighted(text, option):
        found = re.fullmatch(r"(\d+)x(\d+)", value)
        if not found:
            raise BadOption(option, part, "is not WIDTHxHEIGHT or WIDTHxHEIGHT:WEIGHT, such as 640x480:3")
        size = int(found[1]), int(found[2])
        if not 1 <= min(size) <= max(size) <= MAX_SIDE:
            raise BadOption(option, part, f"has a side that is not between 1 and {MAX_SIDE} pixels")
        values.append(size)
        weights.append(weight)
    return Mix(tuple(values), tuple(weights))


def parse_people(text: str, option: str = "--people") -> Mix[int]:
    """Parse ``1-6`` (each as often) or ``1:2,4:1`` (weighted): people in an image; a range divides its weight evenly.

    Raises:
        BadOption: a part of the text is wrong; the error names it.
    """
    values: list[int] = []
    weights: list[float] = []
    for part, value, weight in _weighted(text, option):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", value)
        if not found:
            raise BadOption(option, part, "is not a number or a range, with or without a weight, such as 1-6 or 4:1")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise BadOption(option, part, "is a range that ends before it starts")
        if last > MAX_PEOPLE:
            raise BadOption(option, part, f"is more than {MAX_PEOPLE} people")
        values += range(first, last + 1)
        weights += [weight / (last - first + 1)] * (last - first + 1)
    return Mix(tuple(values), tuple(weights))


def _weighted(text: str, option: str) -> Iterator[tuple[str, str, float]]:
    for part in (part.strip() for part in text.split(",")):
        value, colon, weight = part.partition(":")
        if colon and not re.fullmatch(r"\d+(\.\d+)?", weight):
            raise BadOption(option, part, "has a weight that is not a number")
        if colon and float(weight) == 0:
            raise BadOption(option, part, "has no weight: leave it out instead")
        yield part, value, float(weight) if colon else 1.0
