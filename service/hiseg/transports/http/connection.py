"""One HTTP connection, within limits of bytes, time and work that uvicorn and its parser don't have.

What a caller sends before a request is complete, and what of an answer it doesn't read, is held in no book: so all of
it is small here, and ends. In particular:

- A request's line and headers have few bytes, and little time.
- A second request isn't parsed before the first is answered. Whoever sends one before (pipelining, which no client in
  wide use does) gets the first answer, and then the connection ends, as RFC 9112, section 9.3.2, allows.
- Framing has to be worth it: chunks of a few bytes each, extensions and trailers cost more than they bring.
- An offer to upgrade to another protocol (the JDK's client makes one for HTTP/2) is declined by ignoring it. The parser
  would take all that follows for the other protocol; so it is replaced by one that doesn't know of the offer.
- After an early answer, such as an error, what is still being sent is read and dropped for a while: closing at once
  would reset the connection, and many clients and proxies would never see the answer.
- An answer has to be read at some speed.

h11, which has some of this built in, takes 0.06 ms more for each request: half of what all of a health check takes.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from hiseg.api.limits import HEAD_SECONDS, MAX_HEAD_BYTES, MAX_HEADERS
from hiseg.transports.http.connection_limits import (
    FRAMING_BYTES,
    GATHER_SECONDS,
    HANDSHAKE_SECONDS,
    LINGER_BYTES,
    LINGER_SECONDS,
    PIECE_BYTES,
    PIPELINED_BYTES,
    SHUTDOWN_SECONDS,
    SMALL_READ_BYTES,
    SMALL_READS,
    TOO_MANY,
    Refusal,
    too_long,
)
from hiseg.transports.http.open_connections import OpenConnections, parse_address
from hiseg.transports.http.unread import UnreadAnswer

FLOW = "hiseg.flow"
"""Key of a request's scope: the connection's :class:`FlowControl`, whose ``drain`` waits until the answer was read."""


class _Pipelined(Exception):
    """What the parser is stopped with when a second request comes before the first is answered."""


class _Output(asyncio.Transport):
    """What answers are written to: closing it doesn't reset a caller who is still sending."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.close = connection.close_gently  # type: ignore[method-assign]
        self.write = connection.transport.write  # type: ignore[method-assign]
        self.is_closing = connection.transport.is_closing  # type: ignore[method-assign]


class Connection(HttpToolsProtocol):
    """Uvicorn's protocol with limits. See the module.

    Args:
        config, server_state, app_state, _loop: uvicorn's.
        open_connections: all connections of the service.
        tls: context of TLS; None: plain text.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        open_connections: OpenConnections,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._open = open_connections
        self._tls = tls
        self._is_started = False
        self._handshake: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        """For the headers, or for dropping the rest of a body."""
        self._drops = False
        """Whether what comes is dropped, since nothing more of it will be answered."""
        self._lingers = False
        """Whether nothing more will be sent either."""
        self._dropped = 0
        self._in_head = True
        """Whether no complete head of a request has come since the last one ended."""
        self._overhead = self._body = self._reads = 0
        """Of the present request: bytes that aren't its body, bytes of it, and the reads that brought them."""
        self._named = 0
        """Bytes of its URL and headers that the parser has told so far."""
        self._declines = False
        """Whether the parser is told the framing of a request once more, without its offer to upgrade."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if self._handshake is not None:
            self._start(transport)
            return
        address = get_remote_addr(transport)
        if not self._open.add(self, address[0] if address else ""):
            self._turn_away(transport)
        elif self._tls is None:
            self._start(transport)
        else:
            # Uvloop calls nobody before a handshake has ended, and one on a transport that reads already is a race.
            copy = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
            transport.abort()
            self._handshake = self.loop.create_task(self._shake_hands(copy, self._tls))

    def _turn_away(self, transport: asyncio.Transport) -> None:
        """Say that too many connections are open, also to one who is sending already; over TLS nothing can be said."""
        if self._tls is None:
            transport.write(TOO_MANY.answer([(b"retry-after", b"1")]))
            if self._open.turn_away(self):
                self.transport, self._drops, self._lingers = transport, True, True
                transport.write_eof()
                self._set_deadline(LINGER_SECONDS, transport.close)
                return
        transport.close()

    async def _shake_hands(self, connected: socket.socket, context: ssl.SSLContext) -> None:
        """Start over TLS: a connection counts from its beginning, also if its handshake never ends."""
        try:
            # One in each turn of the loop, so that others are served between those that come all at once.
            async with self._open.handshakes:
                await asyncio.sleep(0)
            await self.loop.connect_accepted_socket(
                lambda: self, connected, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError:  # what is wrong with the handshake, or its time, is one too
            self._open.refused("tls")
        finally:
            if not self._is_started:
                self._open.remove(self)
                connected.close()

    def _start(self, transport: asyncio.Transport) -> None:
        self._is_started = True
        super().connection_made(transport)
        if self.client and (address := parse_address(self.client[0])):
            self.client = (str(address), self.client[1])  # a proxy is known by its IPv4 address also on an IPv6 socket
        self._output = _Output(self)
        self._unread = UnreadAnswer(transport, self.loop, partial(self._open.refused, "unread"))
        self._set_deadline(HEAD_SECONDS, self._on_head_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_deadline(None)
        self._open.turned_away.discard(self)
        if not self._is_started:
            return  # refused, or going to start over TLS
        self._open.remove(self)
        self._unread.stop()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Called by uvicorn when all work is done: close the connection when the answer was read, or soon after."""
        if self.cycle is not None and self.cycle.response_complete and not self._in_head:
            self._linger()
        else:
            super().shutdown()
        self.loop.call_later(SHUTDOWN_SECONDS, self.transport.abort)

    def evict(self) -> None:
        """End the connection: another one takes its place."""
        if self._is_started:
            self._unread.reset()
        elif self._handshake:
            self._handshake.cancel()

    def data_received(self, data: bytes) -> None:
        if self._drops:
            self._drop(len(data))
        else:
            self._unset_keepalive_if_required()
            self._reads += 1
            self._feed(data)
            if self._reads > SMALL_READS and self._overhead + self._body < self._reads * SMALL_READ_BYTES:
                self.transport.pause_reading()
                self.loop.call_later(GATHER_SECONDS, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing() and not self.flow.read_paused:
            self.transport.resume_reading()

    def _feed(self, data: bytes) -> None:
        self._overhead += len(data)  # what turns out to be body is taken off again
        rest: bytes | None = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            rest = data[offer.args[0] :]
        except httptools.HttpParserError as error:
            self._stop_parsing(error.__context__)
            return
        if rest is None:
            self._check_progress()
        elif self._decline_upgrade():  # not within `except`: the offer would become the context of the next error
            self._overhead -= len(rest)
            self._feed(rest)

    def _stop_parsing(self, reason: BaseException | None) -> None:
        """Read no more requests, since one is refused, or came too early."""
        if isinstance(reason, _Pipelined):
            self._drops = True
            self.cycle.keep_alive = False
        elif isinstance(reason, Refusal):
            self._refuse(reason)
        else:
            self._refuse(Refusal(HTTPStatus.BAD_REQUEST, "what came is not a request of HTTP/1.1"))

    def _check_progress(self) -> None:
        """Look at a request that isn't complete: whether it is worth its bytes, and becomes complete in time."""
        overhead, is_answered = self._overhead, self.cycle is None or self.cycle.response_complete
        if not self._in_head:
            limit = MAX_HEAD_BYTES + FRAMING_BYTES + self._body // 64
            if overhead > limit:
                text = "sizes of chunks, extensions and trailers are too long for the bytes of the body"
                self._refuse(Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text, "body", limit, overhead))
            elif is_answered and self._body > LINGER_BYTES:
                self._unread.close()
        elif overhead > MAX_HEAD_BYTES:
            self._refuse(too_long(overhead, is_url=self._named > 0 and not self.headers))
        elif overhead > 0 and is_answered and self._deadline is None:
            self._set_deadline(HEAD_SECONDS, self._on_head_late)

    def _decline_upgrade(self) -> bool:
        """Replace the parser by one that is told how the body is framed, but of no offer. Whether it takes that."""
        names = (b"content-length", b"transfer-encoding")
        framing = [name + b": " + value + b"\r\n" for name, value in self.headers if name in names]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._declines = True
        try:
            self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n"]))
        except httptools.HttpParserError:
            self._stop_parsing(None)
            return False
        self._declines = False
        return True

    def on_message_begin(self) -> None:
        if self._declines:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            raise _Pipelined
        super().on_message_begin()
        self.scope[FLOW] = self.flow  # type: ignore[literal-required]

    def on_url(self, url: bytes) -> None:
        if not self._declines:
            self._name(len(url), is_url=True)
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head or self._declines:
            return  # a trailer, which nobody asks for
        self._name(len(name) + len(value) + 4)
        if len(self.headers) == MAX_HEADERS:
            status, text = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"at most {MAX_HEADERS} headers are taken"
            raise Refusal(status, text, "headers", MAX_HEADERS, MAX_HEADERS + 1)
        super().on_header(name, value)

    def _name(self, nbytes: int, is_url: bool = False) -> None:
        self._named += nbytes
        if self._named > MAX_HEAD_BYTES:
            raise too_long(self._named, is_url)

    def on_headers_complete(self) -> None:
        if self._declines:
            return
        self._in_head = False
        self._set_deadline(None)
        super().on_headers_complete()
        self.cycle.transport = self._output
        self._open.receive(self)

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        self._overhead -= len(body)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) >= PIECE_BYTES:
                cycle.message_event.set()
                if len(cycle.body) > HIGH_WATER_LIMIT:
                    self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # it only seems so: see _decline_upgrade
        self._in_head = True
        self._overhead = self._named = self._body = self._reads = 0
        self._set_deadline(None)
        if self.cycle.response_complete:  # long ago
            self._open.wait(self)
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self._open.work(self)
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_head and not self._drops:
            self._open.wait(self)
            return
        self._unset_keepalive_if_required()
        if self._drops:
            self._linger()
        elif not self.transport.is_closing():
            self._set_deadline(LINGER_SECONDS, self._unread.close)

    def _refuse(self, refusal: Refusal) -> None:
        self._open.refused(refusal.reason)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(refusal.answer(self.server_state.default_headers))
        self._linger()

    def close_gently(self) -> None:
        """Close the connection after an answer; if more is being sent, when the caller had time to read the answer."""
        if self._in_head and not self._drops:
            self._unread.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """End what is sent, and drop what comes, for a while."""
        self._drops = True
        if self._lingers or self.transport.is_closing():
            return
        self._lingers = True
        self._open.wait(self)
        self.flow.resume_reading()
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._set_deadline(LINGER_SECONDS, self._unread.close)

    def _drop(self, nbytes: int) -> None:
        self._dropped += nbytes
        if self._dropped > LINGER_BYTES:
            self.transport.abort()
        elif self._dropped > PIPELINED_BYTES and not self._lingers:
            self.transport.pause_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Called by uvicorn when no further request came."""
        self._unread.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._open.stall(self)
        self._unread.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._open.flow(self)
        self._unread.relax()

    def _set_deadline(self, seconds: float | None, on_passed: Callable[[], None] = lambda: None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, on_passed)

    def _on_head_late(self) -> None:
        if not self._overhead:
            self._unread.close()
            return
        text = f"the headers took longer than {HEAD_SECONDS:g} s"
        self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, text, "headers", HEAD_SECONDS))
