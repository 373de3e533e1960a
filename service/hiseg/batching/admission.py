"""Who may come in at all: the service's state, and the bytes that the requests inside hold."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from enum import StrEnum
from types import TracebackType

from hiseg.core.errors import Overloaded, Unavailable

LEAST_BYTES = 64 * 1024
"""What a request counts for at least: its connection, its buffers, its task."""
GREED = 4
"""So many times what is left free may one client hold: alone four fifths of all, and another always finds room."""


class State(StrEnum):
    """What the service is doing; requests are taken in READY and LEAVING."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"
    """It will drain: it says so to whoever spreads requests, and still takes those that are on their way."""
    DRAINING = "draining"


_WHY_NOT = {
    State.STARTING: "the models are being loaded",
    State.LEAVING: "the service is about to shut down",
    State.DRAINING: "the service is shutting down",
}


class Reservation:
    """One request's place inside; leaving the ``with`` block gives it back."""

    def __init__(self, admission: Admission, client: str) -> None:
        self._admission = admission
        self.client = client
        self.bytes = 0

    def hold(self, nbytes: int) -> None:
        """From now on the request holds ``nbytes``, whatever it held before.

        Raises:
            Overloaded: so many are not free, or not for this client; it holds what it held before.
        """
        self._admission._change(self, max(LEAST_BYTES, nbytes))

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission._leave(self)


class Admission:
    """The door.

    Args:
        max_bytes: most bytes that the requests inside may hold together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.state = State.STARTING
        self.inside = 0
        self.held = 0
        self._by_client: defaultdict[str, int] = defaultdict(int)
        self._empty = asyncio.Event()
        self._empty.set()

    def check_open(self) -> None:
        """Raise :class:`Unavailable` unless requests are taken."""
        if self.state not in (State.READY, State.LEAVING):
            raise Unavailable(_WHY_NOT[self.state], reason=self.state)

    def check_wanted(self) -> None:
        """Raise :class:`Unavailable` unless requests shall be sent here."""
        if self.state is not State.READY:
            raise Unavailable(_WHY_NOT[self.state], reason=self.state)

    def enter(self, client: str = "", nbytes: int = 0) -> Reservation:
        """A place for a request that announces ``nbytes``.

        Raises:
            Unavailable: starting or draining.
            Overloaded: the bytes are not free.
        """
        self.check_open()
        return self.place(client, nbytes)

    def place(self, client: str = "", nbytes: int = 0) -> Reservation:
        """Like :meth:`enter`, whatever the state: for the service's own requests."""
        place = Reservation(self, client)
        place.hold(nbytes)
        self.inside += 1
        self._empty.clear()
        return place

    async def emptied(self) -> None:
        """Wait until nobody is inside."""
        await self._empty.wait()

    def _change(self, place: Reservation, nbytes: int) -> None:
        held = self.held - place.bytes + nbytes
        before = self._by_client.get(place.client, 0)
        clients = before - place.bytes + nbytes
        if nbytes > place.bytes and clients > GREED * (self.max_bytes - held):
            raise Overloaded(
                f"requests inside hold {self.held} bytes, {before} of them this client's; {nbytes} more are too many",
                reason="bytes",
                limit=self.max_bytes,
                value=held,
            )
        self.held = held
        self._by_client[place.client] = clients
        place.bytes = nbytes

    def _leave(self, place: Reservation) -> None:
        self.held -= place.bytes
        self._by_client[place.client] -= place.bytes
        if not self._by_client[place.client]:
            del self._by_client[place.client]
        self.inside -= 1
        if not self.inside:
            self._empty.set()
