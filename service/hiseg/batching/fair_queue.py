"""Who is next: clients take turns by deficit round robin, so that one with a thousand jobs delays nobody else.

Deficit round robin is Shreedhar and Varghese, *Efficient Fair Queuing Using Deficit Round Robin*, SIGCOMM 1995: in
each round a client earns a quantum of cost in proportion to its share and spends it on its own jobs, oldest first. Here
a batch holds one canvas only, so a turn can be asked for among the jobs on one canvas; a client that has none keeps its
place. Rounds in which nobody could afford a job are taken in one step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hiseg.core.canvas import Size

QUANTUM_MS = 10.0
"""What a client with a share of 1 earns in a round."""


class Item(Protocol):
    """What can be queued."""

    @property
    def canvas(self) -> Size:
        """(height, width); only items on the same canvas share a batch."""

    @property
    def client(self) -> str:
        """Whose it is."""

    @property
    def share(self) -> float:
        """Weight of the client, above 0."""

    @property
    def cost(self) -> float:
        """Milliseconds of the engine."""


T = TypeVar("T", bound=Item)


@dataclass(slots=True)
class _Lane(Generic[T]):
    """One client's items: by canvas, in the order they came, each with its number in the whole queue."""

    share: float
    deficit: float = 0.0
    items: dict[Size, dict[T, int]] = field(default_factory=dict)

    def first(self, canvas: Size | None) -> T | None:
        """The oldest item on ``canvas``, or on any."""
        rows = self.items.values() if canvas is None else [self.items.get(canvas, {})]
        heads = [next(iter(row.items())) for row in rows if row]
        return min(heads, key=lambda head: head[1])[0] if heads else None

    def rounds_to(self, item: T) -> int:
        """Rounds until it can afford ``item``."""
        return max(0, math.ceil((item.cost - self.deficit) / (QUANTUM_MS * self.share)))


class FairQueue(Generic[T]):
    """Items of many clients."""

    def __init__(self) -> None:
        # In the order of their turns: whoever can afford nothing more goes to the end.
        self._lanes: dict[tuple[str, float], _Lane[T]] = {}
        self._numbers = itertools.count()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        """All items, in no order."""
        return (item for lane in self._lanes.values() for row in lane.items.values() for item in row)

    def put(self, item: T) -> None:
        """Behind the client's others."""
        lane = self._lanes.setdefault((item.client, item.share), _Lane(item.share))
        lane.items.setdefault(item.canvas, {})[item] = next(self._numbers)
        self._length += 1

    def remove(self, item: T) -> None:
        """Take an item out, wherever it stands, at no cost to its client.

        Raises:
            KeyError: it isn't here.
        """
        key = item.client, item.share
        lane = self._lanes[key]
        del lane.items[item.canvas][item]
        self._length -= 1
        if not lane.items[item.canvas]:
            del lane.items[item.canvas]
        if not lane.items:
            del self._lanes[key]

    def next(self, canvas: Size | None = None) -> T | None:
        """The item whose turn it is, on ``canvas`` or on any; it stays until it is taken."""
        waiting = self._first_of_each(canvas)
        if not waiting:
            return None
        rounds = min(lane.rounds_to(item) for lane, item in waiting)
        return next(item for lane, item in waiting if lane.rounds_to(item) == rounds)

    def take(self, item: T, canvas: Size | None = None) -> None:
        """Take what :meth:`next` gave for the same ``canvas``, and let its client pay."""
        key = item.client, item.share
        lane = self._lanes[key]
        if rounds := lane.rounds_to(item):
            # All that wait earn, wherever their work is.
            for other in self._lanes.values():
                other.deficit += rounds * QUANTUM_MS * other.share
        lane.deficit -= item.cost
        self.remove(item)
        following = lane.first(None)
        if following is not None and lane.rounds_to(following):
            self._lanes[key] = self._lanes.pop(key)

    def _first_of_each(self, canvas: Size | None) -> list[tuple[_Lane[T], T]]:
        return [(lane, item) for lane in self._lanes.values() if (item := lane.first(canvas)) is not None]
