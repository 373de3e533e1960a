"""One call: its messages are read and its answers written within limits of time and memory.

Every handler is registered as one of streams, whatever the method is called with; on the wire that makes no difference.
So a call begins with its headers, and its messages are read only after its key and its limits were looked at. An answer
counts until it has been read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from grpc.aio import EOF, AbortError, BaseError, ServicerContext

from hiseg.api.limits import READ_ANSWER_BYTES
from hiseg.api.outcomes import ClientDisconnected
from hiseg.batching.workers import Workers
from hiseg.core.errors import HisegError, InvalidRequest, forget_frames
from hiseg.observability.logs import REQUEST_ID, current_request_id
from hiseg.transports.grpc.auth import TrustedProxies
from hiseg.transports.grpc.incoming import Incoming, late_message
from hiseg.transports.grpc.sockets import Sockets
from hiseg.transports.grpc.status import MessageTooLarge, refusal

ABORT_SECONDS = 2.0
"""Longest time that the status of a call that is ended by us may take to leave."""
COMPRESSED = {b"\x1f\x8b": "gzip", b"\x78": "deflate"}
"""How compressed messages begin. No message of a service begins so: it would have a field of a type that isn't used."""
USUAL_INFLATION = 8
"""Times by which a compressed message is expected to grow. What grows more is long work, and waits with it: it may take
a tenth of a second for a few bytes sent."""
Context = ServicerContext[Any, Any]


class Calls:
    """Opens the calls of a server.

    Args:
        incoming: counts the messages that are read.
        sockets: those of the server.
        proxies: those that are trusted to stand for many clients.
        workers: threads in which compressed messages are inflated.
        max_message_bytes: most bytes of a message.
        message_s: seconds that a message may take to arrive.
    """

    def __init__(
        self,
        incoming: Incoming,
        sockets: Sockets,
        proxies: TrustedProxies,
        workers: Workers,
        max_message_bytes: int,
        message_s: float,
    ) -> None:
        self.incoming = incoming
        self.sockets = sockets
        self.proxies = proxies
        self.workers = workers
        self.max_message_bytes = max_message_bytes
        self.message_s = message_s

    @contextmanager
    def open(self, context: Context, client: str) -> Iterator[Call]:
        """Open a call of a client, which counts as open until the end of the block."""
        call = Call(self, context, client)
        try:
            yield call
        finally:
            call.close()


class Call:
    """One call; see :class:`Calls`.

    Attributes:
        refused: the error that it was ended with while it was read; None: it wasn't.
    """

    def __init__(self, calls: Calls, context: Context, client: str) -> None:
        self._calls = calls
        self._context = context
        self._client = client
        self._peer = context.peer()
        self._connection = calls.incoming.open_call(self._peer, client)
        self._loop = asyncio.get_running_loop()
        self._id = current_request_id.get()
        self._ending: asyncio.Task[None] | None = None
        self._written = asyncio.Event()
        self._written.set()
        self.refused: HisegError | None = None

    def close(self) -> None:
        """Count the call as open no more."""
        self._calls.incoming.close_call(self._peer, self._client)

    async def read(self, limit_s: float | None = None, late: Callable[[], HisegError] | None = None) -> bytes | None:
        """Read the next message.

        Args:
            limit_s: seconds until it is whole; None: :attr:`Calls.message_s`.
            late: makes the error that the call ends with if it takes longer.

        Returns:
            The message, inflated if it was compressed; None: there is no further one.

        Raises:
            HisegError: it took too long, or more memory than there is; the call has ended with that status.
            ClientDisconnected: the caller hung up.
            InvalidRequest: it is damaged.
            MessageTooLarge: inflated, it has more bytes than are taken.
        """
        limit = self._calls.message_s if limit_s is None else limit_s
        incoming = self._calls.incoming
        read = incoming.begin(self._connection, self._client, limit, late or (lambda: late_message(limit)), self.end)
        nbytes = 0
        try:
            data = await self._context.read()
            nbytes = 0 if data is EOF else len(data)
        except BaseError as error:
            raise self.refused or ClientDisconnected from error
        finally:
            incoming.finish(read, nbytes)
        if data is EOF:
            return None
        return await self._inflated(data) if data.startswith(tuple(COMPRESSED)) else data

    async def read_only(self) -> bytes:
        """Read the one message of a call that has one; the errors are those of :meth:`read`.

        Raises:
            InvalidRequest: there is none.
        """
        message = await self.read()
        if message is None:
            raise InvalidRequest("the call has no message", field="request")
        return message

    async def write(self, answer: Any, limit_s: float) -> None:
        """Write an answer, and wait until it has been read but for a window's worth.

        Args:
            answer: the message.
            limit_s: see :meth:`timed_reading`.

        Raises:
            HisegError: the call was ended with it meanwhile.
            ClientDisconnected: the caller is gone, or was cut off.
        """
        self._written.clear()
        with self.timed_reading(limit_s):
            try:
                await self._context.write(answer)
            except BaseError as error:
                raise self.refused or ClientDisconnected from error
            finally:
                self._written.set()

    @contextmanager
    def timed_reading(self, limit_s: float) -> Iterator[None]:
        """Cut the caller off if it reads less than :data:`READ_ANSWER_BYTES` in ``limit_s`` seconds of the block."""
        watch = _ReadingWatch(self._loop, limit_s, self._taken, self._cut_off)
        try:
            yield
        finally:
            watch.stop()

    def end(self, error: HisegError) -> None:
        """End the call with the status of an error while it is being read."""
        if self._ending is None:
            self.refused = error
            self._ending = self._loop.create_task(self._send_status(error))

    async def wait_until_ended(self) -> None:
        """Wait until the status that :meth:`end` sends has left."""
        if self._ending:
            await self._ending

    async def _send_status(self, error: HisegError) -> None:
        if not await _in_time(self._written.wait(), ABORT_SECONDS):
            self._cut_off()
            await self._written.wait()
        # Who doesn't read can't be told, and gRPC holds what it has of the message until then.
        if not await _in_time(_quietly(abort(self._context, error, self._id)), ABORT_SECONDS):
            self._cut_off()

    def _taken(self) -> int:
        """Bytes that the caller's end of the connection has acknowledged; 0 if that isn't known."""
        endpoint = self._connection.endpoint
        if endpoint is None:
            return 0
        counts = self._calls.sockets.count(endpoint)
        if counts is None:
            self._calls.sockets.scan()
            counts = self._calls.sockets.count(endpoint)
        return counts.taken if counts else 0

    def _cut_off(self) -> None:
        """End the connection, unless it is a proxy's with calls of other clients: gRPC can't end one unread call.

        All that come over another connection are one caller, whatever keys or watchers of the health it has there.
        """
        endpoint = self._connection.endpoint
        if endpoint is None:
            return
        if set(self._connection.clients) == {self._client} or not self._calls.proxies.is_trusted(endpoint[0]):
            self._calls.sockets.shut_down(endpoint)

    async def _inflated(self, data: bytes) -> bytes:
        most = self._calls.max_message_bytes
        usual = USUAL_INFLATION * len(data)
        if usual < most:
            with suppress(MessageTooLarge):
                return await self._calls.workers.run(partial(inflate, data, usual), self._client, usual)
        return await self._calls.workers.run(partial(inflate, data, most), self._client, most, takes_long=True)


class _ReadingWatch:
    """Calls ``give_up`` whenever too little of an answer was read for too long.

    Args:
        loop: the event loop.
        limit_s: seconds in which :data:`READ_ANSWER_BYTES` must have been read.
        taken: returns the bytes that were read so far.
        give_up: ends the reading.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit_s: float,
        taken: Callable[[], int],
        give_up: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._interval_s = limit_s / 2
        self._taken = taken
        self._give_up = give_up
        self._last: int | None = None
        self._timer = loop.call_later(self._interval_s, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        taken = self._taken()
        if self._last is not None and taken < self._last + READ_ANSWER_BYTES / 2:
            self._give_up()
        self._last = taken
        self._timer = self._loop.call_later(self._interval_s, self._look)


async def abort(context: Context, error: HisegError, request_id: str = "") -> None:
    """End a call with the status of an error, and the id of the call in its trailing metadata.

    Args:
        context: gRPC's context of the call.
        error: says why.
        request_id: id of the call; empty: that of the current one.

    Raises:
        AbortError: always, for gRPC, which has ended the call; its handler must return.
        CancelledError: the caller is gone.
    """
    code, details, trailing = refusal(forget_frames(error))
    try:
        await context.abort(code, details, (*trailing, (REQUEST_ID, request_id or current_request_id.get())))
    except AbortError:
        raise
    except BaseError as gone:
        raise asyncio.CancelledError from gone


def inflate(data: bytes, max_bytes: int) -> bytes:
    """Inflate a message that was compressed with gzip or deflate.

    gRPC could do that, but not within the memory that is counted, and wouldn't say how many bytes had come.

    Raises:
        MessageTooLarge: more than ``max_bytes`` come out.
        InvalidRequest: the message is damaged.
    """
    either = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        inflated = either.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest("the message can't be decompressed", field="request") from error
    if len(inflated) > max_bytes:
        raise MessageTooLarge(
            f"the message has more than {max_bytes} bytes when it is decompressed", field="request", limit=max_bytes
        )
    if not either.eof:
        raise InvalidRequest("the message can't be decompressed: its end is missing", field="request")
    return inflated


async def _quietly(sending: Awaitable[None]) -> None:
    """Wait for a status to leave; the error that gRPC ends it with says nothing."""
    with suppress(AbortError, asyncio.CancelledError):
        await sending


async def _in_time(waiting: Coroutine[Any, Any, object], limit_s: float) -> bool:
    """Wait for something for ``limit_s`` seconds at most, and return whether it is done; it is never cancelled."""
    task = asyncio.ensure_future(waiting)
    await asyncio.wait([task], timeout=limit_s)
    return task.done()
