"""How what a process holds grows from round to round: what is left behind grows in each, and chance doesn't."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from typing import TypeVar

Returned = TypeVar("Returned")


def smallest_growth(readings: Sequence[int]) -> int:
    """The least that a reading grew by since the one before it.

    A worker of the tests holds a gigabyte and other tests' remains: that it takes some memory, or opens a file, in one
    round or another says nothing. What a round leaves behind is there after every round.

    Args:
        readings: one after each of three rounds or more; the first is where growth is counted from.
    """
    assert len(readings) > 2, "the growth of a single round may be chance"
    return min(later - earlier for earlier, later in pairwise(readings))


def open_files() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def in_own_process(function: Callable[..., Returned], *arguments: object) -> Returned:
    """What a module's function returns in a process that did nothing before.

    In one that has worked, freed memory takes up what would be growth, and tests before may give memory back meanwhile.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        return processes.submit(function, *arguments).result()
