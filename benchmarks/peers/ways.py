"""The ways of using two cores with which a server can be started (``PEER_WAY``, ``PEER_PORT``)."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """How many processes (or batches at once), how many ONNX Runtime threads each, and how many requests in a batch."""

    workers: int
    threads: int
    batch: int


WAYS = {"batch": Way(1, 2, 4), "one": Way(1, 2, 1), "two": Way(2, 1, 1)}
"""Dynamic batches on both cores; one request after the other on both; two requests at a time, each on one."""
WINDOW_S = 0.01
"""Of batches, where a server waits for them to fill: what Ray Serve takes unless told otherwise."""


def chosen() -> Way:
    """What this server was started with."""
    return WAYS[os.environ["PEER_WAY"]]


def port() -> int:
    """Where it listens."""
    return int(os.environ["PEER_PORT"])
