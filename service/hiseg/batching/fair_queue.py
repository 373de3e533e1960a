"""A fair queue: clients take turns by deficit round robin, so that one with a thousand jobs delays nobody else.

Deficit round robin is Shreedhar and Varghese, *Efficient Fair Queuing Using Deficit Round Robin*, SIGCOMM 1995: in
each round a client earns a quantum of cost in proportion to its share and spends it on its own jobs, oldest first. Here
a batch holds one canvas only, so the next item can be limited to those on one canvas; a client that has none there
keeps its turn. Rounds in which no client could afford an item are skipped in one step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hiseg.core.image import Size

QUANTUM_MS = 10.0
"""Milliseconds of the engine that a client with a share of 1 earns in a round."""


class QueueItem(Protocol):
    """What can be queued."""

    @property
    def canvas(self) -> Size:
        """(height, width); only items on the same canvas share a batch."""

    @property
    def client(self) -> str:
        """The client that sent it."""

    @property
    def share(self) -> float:
        """Weight of the client, above 0."""

    @property
    def cost_ms(self) -> float:
        """Predicted milliseconds that it adds to a batch."""


T = TypeVar("T", bound=QueueItem)


@dataclass(slots=True)
class _ClientQueue(Generic[T]):
    """One client's items, by canvas and in the order of their arrival, each with its number in the whole queue."""

    share: float
    deficit: float = 0.0
    items: dict[Size, dict[T, int]] = field(default_factory=dict)

    def first(self, canvas: Size | None) -> T | None:
        """Return the oldest item on ``canvas``, or on any canvas if that is None; None if there is none."""
        rows = self.items.values() if canvas is None else [self.items.get(canvas, {})]
        heads = [next(iter(row.items())) for row in rows if row]
        return min(heads, key=lambda head: head[1])[0] if heads else None

    def rounds_to(self, item: T) -> int:
        """Return the number of rounds until the client can afford ``item``."""
        return max(0, math.ceil((item.cost_ms - self.deficit) / (QUANTUM_MS * self.share)))


class FairQueue(Generic[T]):
    """Items of many clients, taken in turns."""

    def __init__(self) -> None:
        # By client and share, in the order of their turns: whoever can afford nothing more goes to the end.
        self._clients: dict[tuple[str, float], _ClientQueue[T]] = {}
        self._numbers = itertools.count()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        """All items, in no order."""
        return (item for client in self._clients.values() for row in client.items.values() for item in row)

    def __contains__(self, item: T) -> bool:
        client = self._clients.get((item.client, item.share))
        return client is not None and item in client.items.get(item.canvas, ())

    def put(self, item: T) -> None:
        """Add an item behind all others of its client."""
        client = self._clients.setdefault((item.client, item.share), _ClientQueue(item.share))
        client.items.setdefault(item.canvas, {})[item] = next(self._numbers)
        self._length += 1

    def remove(self, item: T) -> None:
        """Remove an item, wherever it stands, at no cost to its client.

        Raises:
            KeyError: it isn't in the queue.
        """
        key = item.client, item.share
        client = self._clients[key]
        del client.items[item.canvas][item]
        self._length -= 1
        if not client.items[item.canvas]:
            del client.items[item.canvas]
        if not client.items:
            del self._clients[key]

    def next(self, canvas: Size | None = None) -> T | None:
        """Return the item whose turn it is, on ``canvas`` or on any if that is None, and leave it in the queue."""
        waiting = self._first_of_each(canvas)
        if not waiting:
            return None
        rounds = min(client.rounds_to(item) for client, item in waiting)
        return next(item for client, item in waiting if client.rounds_to(item) == rounds)

    def take(self, item: T) -> None:
        """Remove an item that :meth:`next` returned, and let its client pay for it."""
        key = item.client, item.share
        client = self._clients[key]
        if rounds := client.rounds_to(item):
            # All clients that wait earn, on whichever canvas their items are.
            for other in self._clients.values():
                other.deficit += rounds * QUANTUM_MS * other.share
        client.deficit -= item.cost_ms
        self.remove(item)
        following = client.first(None)
        if following is not None and client.rounds_to(following):
            self._clients[key] = self._clients.pop(key)

    def _first_of_each(self, canvas: Size | None) -> list[tuple[_ClientQueue[T], T]]:
        return [(client, item) for client in self._clients.values() if (item := client.first(canvas)) is not None]
