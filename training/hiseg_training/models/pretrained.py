"""Weights that somebody else has trained come from somebody else's server, which may not be there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class WeightsMissing(Exception):
    """Pretrained weights can't be had; the text says whose, and why."""


@contextmanager
def fetched(name: str, wanted: bool) -> Iterator[None]:
    """Around what makes a network ``name``, and loads its pretrained weights if they are ``wanted``.

    Raises:
        WeightsMissing: it went wrong, and they are; else whatever it was.
    """
    try:
        yield
    except Exception as error:
        if not wanted:
            raise
        raise WeightsMissing(f"model.pretrained: no weights for {name} could be loaded: {error}") from error
