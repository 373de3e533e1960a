"""Ends connections whose callers don't read their answers.

Closing a transport isn't enough: it waits without end until what was written is read, and no timer of the server runs
any more. So closing has a time as well.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from hiseg.api.limits import READ_ANSWER_BYTES, READ_ANSWER_SECONDS

RESET = struct.pack("ii", 1, 0)
"""For ``SO_LINGER``: the kernel keeps nothing of what was written either."""


class UnreadAnswer:
    """What was written to a connection and its caller hasn't read yet.

    Args:
        transport: the connection's.
        loop: the event loop.
        on_given_up: called when the connection is ended since too little was read.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, on_given_up: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._on_given_up = on_given_up
        self._timer: asyncio.TimerHandle | None = None
        self._nbytes = 0
        """Bytes that waited when they were looked at last."""

    def watch(self) -> None:
        """More waits than should: from now on it must be read at some speed."""
        self.stop()
        self._nbytes = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(READ_ANSWER_SECONDS, self._check)

    def relax(self) -> None:
        """Little waits, or nothing: it has time, unless the connection is being closed."""
        self.stop()
        if self._transport.is_closing():
            self.watch()

    def stop(self) -> None:
        """Look no more, since the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Close the connection when all was read, or after some time."""
        if not self._transport.is_closing():
            self._transport.close()
            if self._timer is None:
                self.watch()

    def reset(self) -> None:
        """End the connection at once."""
        if self._transport.get_write_buffer_size():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()

    def _check(self) -> None:
        if self._nbytes - self._transport.get_write_buffer_size() >= READ_ANSWER_BYTES:
            self.watch()
        else:
            self._on_given_up()
            self.reset()
