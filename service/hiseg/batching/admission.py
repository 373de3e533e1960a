"""Admission control: whether requests are taken at all, and how many bytes those being worked on may hold together.

Every request holds a reservation from before its body is read until its answer has been sent, so that memory which
callers make the service hold is counted before it is held, and until it is gone. What threads take while they decode
and draw is counted in :mod:`hiseg.batching.workers`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType

from hiseg.core.errors import Overloaded, Reason, Unavailable

MIN_RESERVATION_BYTES = 64 * 1024
"""The least that a request is counted with, for its connection, buffers and task."""
CLIENT_TO_FREE_RATIO = 4
"""A client may hold at most this many times the bytes that remain free.

A single client can therefore fill four fifths of the memory, and another one always finds some left.
"""
LARGE_SHARE, KEPT_FROM_LARGE = 1 / 32, 1 / 8
"""A request that holds more than ``LARGE_SHARE`` of the memory may not use the last ``KEPT_FROM_LARGE`` of it, so that
a few clients with large requests leave room for many small ones."""


class State(StrEnum):
    """What the service is doing; requests are taken in READY and LAME_DUCK."""

    STARTING = "starting"
    READY = "ready"
    LAME_DUCK = "leaving"
    """About to drain: readiness probes fail already, so that load balancers look elsewhere, but requests are still
    taken."""
    DRAINING = "draining"


_REFUSALS = {
    State.STARTING: (Reason.STARTING, "the models are being loaded"),
    State.LAME_DUCK: (Reason.SHUTTING_DOWN, "the service is about to shut down"),
    State.DRAINING: (Reason.SHUTTING_DOWN, "the service is shutting down"),
}


class Reservation:
    """The memory that one request may hold; leaving the ``with`` block gives it back, unless a thread still uses it.

    Attributes:
        client: who holds it.
        bytes: what is reserved.
        unwritten: part of them for an answer that isn't written yet.
    """

    def __init__(self, admission: Admission, client: str, is_request: bool = True) -> None:
        self._admission = admission
        self._is_request = is_request
        self._users = 1
        self.client = client
        self.bytes = 0
        self.unwritten = 0

    def reserve(self, nbytes: int, unwritten: int = 0) -> None:
        """Reserve ``nbytes`` in all, instead of what was reserved before.

        Args:
            nbytes: how many.
            unwritten: how many of them are for an answer that isn't written yet, so that they are in no use before.

        Raises:
            Overloaded: so many are not free, or not for this client; the reservation stays as it was.
        """
        self._admission._resize(self, max(MIN_RESERVATION_BYTES, nbytes))
        self._expect(unwritten)

    def answer_written(self) -> None:
        """Note that all that is reserved is in use, since the answer has been written."""
        self._expect(0)

    def _expect(self, unwritten: int) -> None:
        self._admission.unwritten_bytes += unwritten - self.unwritten
        self.unwritten = unwritten

    def retain(self) -> None:
        """Keep the bytes counted beyond the end of the ``with`` block, until :meth:`release` is called as often."""
        self._users += 1

    def release(self) -> None:
        """End one use; with the last one the bytes are given back."""
        self._users -= 1
        if not self._users:
            self._admission._free(self)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_request:
            self._admission._end_request()
        self.release()


class Admission:
    """Knows the service's state and every reservation.

    Args:
        max_bytes: limit of the bytes that all reservations hold together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._state = State.STARTING
        self._listeners: list[Callable[[], None]] = []
        self._freed_listeners: list[Callable[[], None]] = []
        self.active_requests = 0
        self.reserved_bytes = 0
        self.unwritten_bytes = 0
        """Those of them that are for answers which aren't written yet."""
        self._bytes_of_client: defaultdict[str, int] = defaultdict(int)
        self._draining = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def state(self) -> State:
        """What the service is doing; setting it calls the listeners."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
        if state is State.DRAINING:
            self._draining.set()
        for listener in self._listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, on the event loop, whenever :attr:`state` has been set."""
        self._listeners.append(listener)

    def subscribe_freed(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, on the event loop, whenever reserved bytes have been given back."""
        self._freed_listeners.append(listener)

    def check_open(self) -> None:
        """Raise :class:`Unavailable` unless requests are taken."""
        if self.state not in (State.READY, State.LAME_DUCK):
            raise self._refusal()

    def check_ready(self) -> None:
        """Raise :class:`Unavailable` unless load balancers should send requests here."""
        if self.state is not State.READY:
            raise self._refusal()

    def admit(self, client: str = "", nbytes: int = 0) -> Reservation:
        """Admit a caller's request, which reserves ``nbytes`` to begin with.

        Raises:
            Unavailable: the service is starting or draining.
            Overloaded: the bytes are not free.
        """
        self.check_open()
        return self.reserve(client, nbytes)

    def reserve(self, client: str = "", nbytes: int = 0) -> Reservation:
        """Reserve memory like :meth:`admit`, whatever the service's state: for requests of its own.

        Raises:
            Overloaded: the bytes are not free.
        """
        reservation = Reservation(self, client)
        reservation.reserve(nbytes)
        self.active_requests += 1
        self._empty.clear()
        return reservation

    def keep(self, client: str, nbytes: int) -> Reservation:
        """Reserve memory of an answer that is being sent, when its request has ended or is about to.

        It is granted in any case, since it takes the place of the request's own reservation, and isn't waited for by
        :meth:`wait_until_empty`.
        """
        reservation = Reservation(self, client, is_request=False)
        self._set(reservation, max(MIN_RESERVATION_BYTES, nbytes))
        return reservation

    async def wait_until_draining(self) -> None:
        """Wait until the service drains, which it does to its end."""
        await self._draining.wait()

    async def wait_until_empty(self) -> None:
        """Wait until no request holds a reservation."""
        await self._empty.wait()

    def _refusal(self) -> Unavailable:
        reason, text = _REFUSALS[self.state]
        return Unavailable(text, reason=reason)

    def _resize(self, reservation: Reservation, nbytes: int) -> None:
        total = self.reserved_bytes - reservation.bytes + nbytes
        of_client = self._bytes_of_client.get(reservation.client, 0)
        of_client_then = of_client - reservation.bytes + nbytes
        free = self.max_bytes - total
        is_large = nbytes > LARGE_SHARE * self.max_bytes
        is_too_much = of_client_then > CLIENT_TO_FREE_RATIO * free or (
            is_large and free < KEPT_FROM_LARGE * self.max_bytes
        )
        if nbytes > reservation.bytes and is_too_much:
            raise Overloaded(
                f"requests inside hold {self.reserved_bytes} bytes, {of_client} of them this client's;"
                f" {nbytes} more are too many",
                reason=Reason.MEMORY_IN_USE,
                limit=self.max_bytes,
                value=total,
            )
        self._set(reservation, nbytes)

    def _set(self, reservation: Reservation, nbytes: int) -> None:
        """Count a reservation with ``nbytes`` from now on, and tell the listeners if that is less than before."""
        client, more = reservation.client, nbytes - reservation.bytes
        self.reserved_bytes += more
        self._bytes_of_client[client] += more
        if not self._bytes_of_client[client]:
            del self._bytes_of_client[client]
        reservation.bytes = nbytes
        if more < 0:
            for listener in self._freed_listeners:
                listener()

    def _end_request(self) -> None:
        self.active_requests -= 1
        if not self.active_requests:
            self._empty.set()

    def _free(self, reservation: Reservation) -> None:
        reservation._expect(0)
        self._set(reservation, 0)
