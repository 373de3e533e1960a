"""Keeps what was decoded, within a budget of bytes: an image is decoded once, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from hiseg.core.image import Pixels

Decoded = tuple[Pixels, ...]
"""A picture uint8 ``[H, W, 3]``, and planes uint8 ``[H, W]`` of it: what belongs to whom, and what a model guesses."""


class Cache:
    """What comes first stays until the budget is used up; the rest is made again each time.

    Nothing is ever pushed out: an epoch comes by each image once, so the image that was used longest ago is the next
    one needed, and pushing it out would be the worst choice. Worker processes that are forked from a filled cache share
    its memory; what they add is their own.
    """

    def __init__(self, budget: int) -> None:
        """``budget``: bytes that are kept at most."""
        self.budget = budget
        self.held = 0
        self.is_full = False
        """Whether something didn't fit already; nothing more is kept from then on."""
        self._kept: dict[Hashable, Decoded] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, decode: Callable[[], Decoded]) -> Decoded:
        """What is kept under ``key``, else ``decode()``; arrays that nobody can write to."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        made = decode()
        for array in made:
            array.flags.writeable = False
        size = sum(array.nbytes for array in made)
        self.is_full = self.is_full or self.held + size > self.budget
        if not self.is_full:
            self._kept[key] = made
            self.held += size
        return made
