"""What makes the masks of a photo: a model in this process, or a running service. Whoever has photos needn't know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hiseg.client.result import Result

T = TypeVar("T")
Rows = Sequence[Sequence[float]]
"""Boxes: rows of four numbers, in the format that the options name."""


class Masker(Protocol):
    """Makes the masks of photos; any number of them at once."""

    @property
    def model(self) -> str | None:
        """Name and version of the model, ``hiseg_b0/1``; None: the answers will tell."""

    async def segment(self, photo: bytes, boxes: Rows | None, write: Callable[[Result], T]) -> T:
        """Make the masks of a photo.

        Args:
            photo: an encoded image.
            boxes: the people; None: they are to be found, or the option ``mode`` is "binary".
            write: makes of the masks what is wanted, in a worker thread.

        Returns:
            What ``write`` returned.

        Raises:
            PhotoError: the photo or its boxes can't be used.
            CommandError: no photo could be done now: the service is gone, or wants another key.
            Exception: what ``write`` raises.
        """
