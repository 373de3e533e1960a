"""A fair queue: clients take turns by deficit round robin, so that one with a thousand jobs delays nobody else.

Deficit round robin is Shreedhar and Varghese, *Efficient Fair Queuing Using Deficit Round Robin*, SIGCOMM 1995: in
each round a client earns a quantum of cost in proportion to its share and spends it on its own jobs, oldest first. Here
a batch holds one canvas only, so the next item can be limited to those on one canvas; a client that has none there
keeps its turn. Rounds in which no client could afford an item are skipped in one step.

A client may send several streams. They share its turns one by one, each item of a stream one turn after the one before
it, so that a stream with a hundred frames delays none of the others of its client either.
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
    def stream(self) -> int | None:
        """The stream of the client that it belongs to; None: to none, which is as if to one more."""

    @property
    def share(self) -> float:
        """Weight of the client, above 0."""

    @property
    def cost_ms(self) -> float:
        """Predicted milliseconds that it adds to a batch."""


T = TypeVar("T", bound=QueueItem)


@dataclass(slots=True)
class _ClientQueue(Generic[T]):
    """One client's items, by canvas and stream.

    Attributes:
        share: weight of the client.
        deficit: milliseconds of the engine that it has earned and not spent.
        turn: the turn of the item that was taken last.
        items: the items of each stream on each canvas in the order of their arrival, each with its turn and its number
            in the whole queue.
    """

    share: float
    deficit: float = 0.0
    turn: int = 0
    items: dict[Size, dict[int | None, dict[T, tuple[int, int]]]] = field(default_factory=dict)

    def put(self, item: T, number: int) -> None:
        """Add an item, one turn after the last of its stream that waits."""
        streams = [streams[item.stream] for streams in self.items.values() if item.stream in streams]
        turn = 1 + max([self.turn, *(next(reversed(row.values()))[0] for row in streams)])
        self.items.setdefault(item.canvas, {}).setdefault(item.stream, {})[item] = turn, number

    def replace(self, item: T, older: T) -> None:
        """Let an item take the place of an older one of the same stream and canvas."""
        row = self.items[older.canvas][older.stream]
        self.items[older.canvas][older.stream] = {item if each is older else each: row[each] for each in row}

    def remove(self, item: T) -> int:
        """Remove an item, and return what its turn was."""
        streams = self.items[item.canvas]
        turn, _ = streams[item.stream].pop(item)
        if not streams[item.stream]:
            del streams[item.stream]
        if not streams:
            del self.items[item.canvas]
        return turn

    def first(self, canvas: Size | None, max_cost_ms: float = math.inf) -> T | None:
        """Return the item whose turn is next, of those at the head of a stream; None if there is none.

        Args:
            canvas: of the item; None: any.
            max_cost_ms: most that the item may cost.
        """
        canvases = self.items.values() if canvas is None else [self.items.get(canvas, {})]
        heads = [next(iter(row.items())) for streams in canvases for row in streams.values()]
        heads = [head for head in heads if head[0].cost_ms <= max_cost_ms]
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
        for client in self._clients.values():
            for streams in client.items.values():
                for row in streams.values():
                    yield from row

    def __contains__(self, item: T) -> bool:
        client = self._clients.get((item.client, item.share))
        return client is not None and item in client.items.get(item.canvas, {}).get(item.stream, ())

    def put(self, item: T) -> None:
        """Add an item behind all others of its stream."""
        client = self._clients.setdefault((item.client, item.share), _ClientQueue(item.share))
        client.put(item, next(self._numbers))
        self._length += 1

    def replace(self, item: T, older: T) -> None:
        """Put an item in the place of an older one of the same client, share, stream and canvas, which is removed.

        A stream whose items are always replaced by newer ones comes to its turn like the others.

        Raises:
            KeyError: the older one isn't in the queue.
        """
        self._clients[older.client, older.share].replace(item, older)

    def remove(self, item: T) -> None:
        """Remove an item, wherever it stands, at no cost to its client.

        Raises:
            KeyError: it isn't in the queue.
        """
        self._remove(item)

    def _remove(self, item: T) -> int:
        """Remove an item; see :meth:`remove`. Returns what its turn was."""
        key = item.client, item.share
        client = self._clients[key]
        turn = client.remove(item)
        self._length -= 1
        if not client.items:
            del self._clients[key]
        return turn

    def next(self, canvas: Size | None = None, max_cost_ms: float = math.inf) -> T | None:
        """Return the item whose turn it is, and leave it in the queue; None if there is none.

        Args:
            canvas: of the item; None: any.
            max_cost_ms: most that the item may cost. A client or stream whose first one costs more keeps its turn.
        """
        waiting = self._first_of_each(canvas, max_cost_ms)
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
        client.turn = self._remove(item)
        following = client.first(None)
        if following is not None and client.rounds_to(following):
            self._clients[key] = self._clients.pop(key)

    def _first_of_each(self, canvas: Size | None, max_cost_ms: float) -> list[tuple[_ClientQueue[T], T]]:
        firsts = [(client, client.first(canvas, max_cost_ms)) for client in self._clients.values()]
        return [(client, item) for client, item in firsts if item is not None]
