"""Sockets and requests of an attacker: HTTP by hand, from addresses that aren't the well-behaved caller's."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import time
from collections.abc import Sequence

from benchmarks.hostile.kind import Target

HOST = "127.0.0.1"
ATTACKER = "127.0.0.3"
"""The attacker's address: neither the well-behaved caller's, nor that of a proxy which the service trusts."""
PATIENCE_S = 40.0
"""Seconds that an attacker waits for an answer."""
_open: list[socket.socket] = []
"""Every socket of the process, so that none is closed because nobody looks at it any more."""


def addresses(count: int) -> list[str]:
    """So many addresses of attackers."""
    return [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]


def connect(port: int, address: str = ATTACKER, receive_bytes: int | None = None) -> socket.socket:
    """A connection that stays open until the process ends, unless it is closed.

    Args:
        port: of the service.
        address: the caller's own.
        receive_bytes: size of the buffer for what arrives; a small one soon holds the sender up.
    """
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(PATIENCE_S)
    connection.bind((address, 0))
    connection.connect((HOST, port))
    _open.append(connection)
    return connection


def head(
    path: str, length: int | None, media_type: str = "image/jpeg", key: str = "", more: Sequence[str] = ()
) -> bytes:
    """The head of a POST.

    Args:
        path: with its query.
        length: bytes of the body as announced; None: it comes in chunks.
        media_type: of the body.
        key: API key; empty: none.
        more: further lines.
    """
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"POST {path} HTTP/1.1", "Host: service", f"Content-Type: {media_type}", body, *more]
    return "\r\n".join([*lines, *([f"X-API-Key: {key}"] if key else []), "", ""]).encode()


def post(target: Target, path: str, body: bytes, media_type: str, address: str = ATTACKER, key: str = "") -> str:
    """Send a request and read the answer; returns its status, or the name of what went wrong."""
    connection = http.client.HTTPConnection(HOST, target.http, timeout=PATIENCE_S, source_address=(address, 0))
    headers = {"content-type": media_type} | ({"x-api-key": key or target.key} if key or target.key else {})
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def pour(connection: socket.socket, first: bytes, piece: bytes, most: int, until: float) -> int:
    """Send something, then the same piece again and again until the connection breaks; returns the bytes sent."""
    sent = 0
    with contextlib.suppress(OSError):
        connection.sendall(first)
        while sent < most and time.monotonic() < until:
            connection.sendall(piece)
            sent += len(piece)
    return sent


def drip(connections: list[socket.socket], piece: bytes, seconds: float, until: float) -> None:
    """Send a piece on each connection that is still open, again and again.

    Args:
        connections: those that break are taken out.
        piece: what is sent.
        seconds: between two pieces on one connection.
        until: time of the end.
    """
    while connections and time.monotonic() < until:
        pause = seconds / len(connections)
        for connection in list(connections):
            try:
                connection.send(piece)
            except OSError:
                connections.remove(connection)
            time.sleep(pause)


def open_many(
    port: int, count: int, first: bytes, until: float, listed: list[str] | None = None
) -> list[socket.socket]:
    """Connections up to a number, or until the service takes no more.

    Args:
        port: of the service.
        count: how many.
        first: what is sent on each.
        until: time of the end.
        listed: addresses that they come from, in turn.
    """
    connections: list[socket.socket] = []
    for number in range(count):
        if time.monotonic() > until:
            break
        with contextlib.suppress(OSError):
            connection = connect(port, listed[number % len(listed)]) if listed else connect(port)
            connections.append(connection)
            connection.sendall(first)
    return connections


def still_open(connections: Sequence[socket.socket]) -> int:
    """How many of the connections the other side hasn't closed; what has arrived on them is read."""
    count = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            while connection.recv(1 << 16):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            count += 1
        except OSError:
            pass
    return count


def sleep_until(until: float) -> None:
    """Wait for a time of ``time.monotonic``."""
    time.sleep(max(0.0, until - time.monotonic()))


def readable(connection: socket.socket, seconds: float) -> bool:
    """Whether something arrives within so many seconds."""
    return bool(select.select([connection], [], [], seconds)[0])
