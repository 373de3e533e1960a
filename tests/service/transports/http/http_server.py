"""A small application behind real connections, in this process, so that tests can set the limits and look inside."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import uvicorn
from starlette.types import Receive, Scope, Send

from hiseg.lifecycle import listen_for_http
from hiseg.transports.http.connection import FLOW, Connection
from hiseg.transports.http.open_connections import OpenConnections

BIG = 8 * 1024 * 1024
PIECE = 64 * 1024


@dataclass
class Served:
    """The running application.

    Attributes:
        address: where it listens.
        connections: all that are open.
        refused: reasons of what was refused, in order.
        bodies: bodies of the requests that came to their end.
        heads: number of requests that began.
        drained: answers of ``/big`` that were read to their end, or given up.
        stop: begin to end.
    """

    address: tuple[str, int]
    connections: OpenConnections
    refused: list[str]
    bodies: list[bytes] = field(default_factory=list)
    heads: int = 0
    drained: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    stop: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the length of the body.

        ``/early`` is answered before its body is read, ``/gate`` when the gate is open, ``/big`` with much, ``/pieces``
        with as much piece by piece, ``/some`` with as many bytes as the query says.
        """
        if scope["type"] != "http":
            return
        self.heads += 1
        body, more = b"", scope["path"] != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message["more_body"]
        if scope["path"] == "/gate":
            await asyncio.to_thread(self.gate.wait)
        self.bodies.append(body)
        content = b"x" * BIG if scope["path"] in ("/big", "/pieces") else b"%d" % len(body)
        if scope["path"] == "/some":
            content = b"x" * int(scope["query_string"])
        headers = [(b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/pieces":
            for at in range(0, BIG, PIECE):
                await send({"type": "http.response.body", "body": content[at : at + PIECE], "more_body": True})
            content = b""
        await send({"type": "http.response.body", "body": content})
        if scope["path"] == "/big":
            await scope[FLOW].drain()
            self.drained += 1

    def connect(self, data: bytes = b"", receive_buffer: int = 0) -> socket.socket:
        """A new connection on which something is sent."""
        connection = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect(self.address)
        connection.sendall(data)
        return connection


@contextmanager
def served(
    limit: int | None = None,
    proxies: tuple[str, ...] = (),
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    keep_alive: float = 5,
) -> Iterator[Served]:
    """Serve until the end of the block."""
    refused: list[str] = []
    connections = OpenConnections(proxies, refused.append, limit)
    sockets = listen_for_http(host, 0)
    app = Served(sockets[0].getsockname()[:2], connections, refused)
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=1)
    config.timeout_keep_alive = keep_alive  # type: ignore[assignment]
    config.load()
    config.http_protocol_class = partial(Connection, open_connections=connections, tls=tls)  # type: ignore[assignment]
    server = uvicorn.Server(config)
    app.stop = lambda: setattr(server, "should_exit", True)
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    try:
        yield app
    finally:
        app.gate.set()
        app.stop()
        thread.join()


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    received = b""
    while data := connection.recv(1 << 16):
        received += data
    return received


def read_answer(connection: socket.socket) -> bytes:
    """One answer, with its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(1 << 16)
        assert data, received
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait, but not for ever."""
    for _ in range(2000):
        if is_so():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it did not come so")
