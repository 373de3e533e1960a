"""Attacks on HTTP connections: what never ends, what is never read, what is never sent."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable

from benchmarks.harness.paths import SAMPLE
from benchmarks.hostile import images
from benchmarks.hostile.kind import Attack, Facts, Kind, Target, repeat
from benchmarks.hostile.wire import (
    addresses,
    connect,
    drip,
    head,
    open_many,
    pour,
    readable,
    sleep_until,
    still_open,
)

GET = b"GET /v1/info HTTP/1.1\r\nHost: service\r\n"
LARGE_FILE = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: service\r\n\r\n"
MOST = 60 << 20
"""Bytes of what never ends."""
LARGEST_BODY = 20 * (1 << 20) * 4 // 3 + (1 << 20) - 1
"""As large as the service takes: 20 MiB in base64, and 1 MiB."""
HANG_UP = struct.pack("ii", 1, 0)
"""For ``SO_LINGER``: a connection that is closed is reset."""


def endless(first: bytes, piece: bytes) -> Callable[[Target], Attack]:
    """One connection that sends a piece over and over."""

    def prepare(target: Target) -> Attack:
        def attack(until: float) -> Facts:
            sent = 0
            connection = connect(target.http)
            sent += pour(connection, first, piece, MOST, until)
            facts: Facts = {"MiB sent": sent >> 20}
            sleep_until(until)
            return facts | {"still open": still_open([connection])}

        return attack

    return prepare


def slow_headers(target: Target) -> Attack:
    """Headers of which a line comes every second."""

    def attack(until: float) -> Facts:
        connections = [connect(target.http) for _ in range(200)]
        for connection in connections:
            connection.sendall(GET)
        drip(connections, b"a: b\r\n", 1.0, until)
        return {"still open": still_open(connections)}

    return attack


def idle(first: bytes, spread: int = 0) -> Callable[[Target], Attack]:
    """Two thousand connections, twice the descriptors that the service has, on which nothing further comes.

    Args:
        first: what comes on each.
        spread: number of addresses that they come from; 0: the attacker's one.
    """

    def prepare(target: Target) -> Attack:
        def attack(until: float) -> Facts:
            listed = addresses(spread) if spread else None
            connections = open_many(target.http, 2000, first, until, listed)
            sleep_until(until)
            return {"opened": len(connections), "still open": still_open(connections)}

        return attack

    return prepare


def pipelined(target: Target) -> Attack:
    """Requests behind an answer that isn't read."""
    sent = LARGE_FILE + b"GET / HTTP/1.1\r\n\r\n" * 20_000

    def attack(until: float) -> Facts:
        for _ in range(40):
            connection = connect(target.http, receive_bytes=2048)
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.send(sent)
        sleep_until(until)
        return {}

    return attack


def slow_bodies(target: Target) -> Attack:
    """Bodies of which a byte comes every second."""

    def attack(until: float) -> Facts:
        connections = open_many(target.http, 100, head("/v1/segment?boxes=", LARGEST_BODY, key=target.key), until)
        drip(connections, b"x", 1.0, until)
        return {"still open": still_open(connections)}

    return attack


def announced(target: Target) -> Attack:
    """Heads alone, from 30 addresses, which announce ever smaller bodies until they are taken."""

    def attack(until: float) -> Facts:
        taken = 0
        for address in addresses(30):
            length = LARGEST_BODY
            while length > 60_000 and time.monotonic() < until:
                connection = connect(target.http, address)
                connection.sendall(head("/v1/segment?boxes=", length, key=target.key) + b"x")
                if readable(connection, 0.03):
                    connection.close()
                    length //= 3
                else:
                    taken += length
        sleep_until(until)
        return {"MiB announced and taken": taken >> 20}

    return attack


def unread_answers(target: Target) -> Attack:
    """Large pictures with masks drawn on them, which aren't read."""
    image = images.noise(3000, 2250)
    query = "/v1/segment?mask_format=overlay&boxes=1,1,9,9"

    def attack(until: float) -> Facts:
        connections = []
        while time.monotonic() < until:
            connection = connect(target.http, receive_bytes=2048)
            with contextlib.suppress(OSError):
                connection.sendall(head(query, len(image), key=target.key) + image)
            connections.append(connection)
            time.sleep(0.4)
        return {"requests": len(connections), "begun answers": sum(readable(each, 0) for each in connections)}

    return attack


def garbage(target: Target) -> Attack:
    """Random bytes, half requests, other protocols."""
    starts = [
        b"",
        b"GET ",
        b"GET / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST / HTTP/9\r\n",
    ]

    def once() -> str:
        with connect(target.http) as connection, contextlib.suppress(OSError):
            connection.sendall(random.choice(starts) + os.urandom(random.randrange(5000)))
            readable(connection, 0.5)
        return "connections"

    return repeat(once, callers=8, pause=0.0)


def tiny_chunks(target: Target) -> Attack:
    """A body in chunks of one byte each."""
    chunks = b"1\r\nx\r\n" * 300_000

    def once() -> str:
        with connect(target.http) as connection:
            try:
                connection.sendall(head("/v1/segment?boxes=", None, key=target.key) + chunks + b"0\r\n\r\n")
                return connection.recv(100)[9:12].decode() or "closed"
            except OSError as error:
                return type(error).__name__

    return repeat(once, callers=2)


def multipart(target: Target) -> Attack:
    """Parts without end: thousands of them, and one whose headers don't end."""
    parts = b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" * 100_000
    lines = b"--b\r\n" + b"a: b\r\n" * 800_000
    almost = b"--b\r\nContent-Disposition: form-data; name=image; filename=x\r\n\r\n" + b"\r\n--" * 1_000_000
    sent = [parts, lines, almost]
    number = 0

    def once() -> str:
        nonlocal number
        body = sent[number % len(sent)]
        number += 1
        with connect(target.http) as connection:
            try:
                connection.sendall(head("/v1/segment", len(body), "multipart/form-data; boundary=b", target.key) + body)
                return connection.recv(100)[9:12].decode() or "closed"
            except OSError as error:
                return type(error).__name__

    return repeat(once, callers=2)


def half_handshakes(target: Target) -> Attack:
    """TLS that begins and stays there: half a greeting, or a whole one and then nothing."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    greeting = outgoing.read()

    def attack(until: float) -> Facts:
        whole = open_many(target.http, 300, greeting, until)
        half = open_many(target.http, 300, greeting[: len(greeting) // 2], until)
        grpc = open_many(target.grpc, 300, greeting[: len(greeting) // 2], until)
        sleep_until(until)
        return {"still open, HTTP": still_open(whole + half), "still open, gRPC": still_open(grpc)}

    return attack


def hang_ups(target: Target) -> Attack:
    """Callers who go away at a random moment: before the body, within it, while they wait, while they read."""
    body = SAMPLE.read_bytes()
    dice = random.Random(0)

    def once() -> str:
        query = dice.choice(["", "&mask_format=overlay", "&mask_format=polygon", "&mask_format=cutout"])
        request = head(f"/v1/segment?boxes=22,15,365,512;526,18,949,512{query}", len(body), key=target.key) + body
        with connect(target.http, receive_bytes=4096) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HANG_UP)
            with contextlib.suppress(OSError):
                connection.sendall(request[: dice.choice([len(request), dice.randrange(len(request))])])
                readable(connection, dice.random() * 0.2)
        return "hang-ups"

    return repeat(once, callers=8, pause=0.05)


KINDS = (
    Kind("endless-header", "one header that doesn't end, 60 MiB", endless(GET + b"X-A: ", b"a" * (1 << 16))),
    Kind("endless-url", "a URL that doesn't end, 60 MiB", endless(b"GET /", b"a" * (1 << 16))),
    Kind("many-headers", "headers that don't end, 60 MiB of short ones", endless(GET, b"a:b\r\n" * 13_000)),
    Kind("slow-headers", "200 connections, a header a second on each", slow_headers),
    Kind("idle-silent", "2,000 connections on which nothing comes", idle(b"")),
    Kind(
        "idle-half-line",
        "2,000 connections with half a request line, from 20 addresses",
        idle(b"GET /v1/in", spread=20),
    ),
    Kind(
        "idle-answered",
        "2,000 connections that stay open after an answer",
        idle(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ),
    Kind("pipelined", "40 connections, 20,000 requests each behind an answer that isn't read", pipelined),
    Kind("slow-bodies", "100 bodies of 27 MB, a byte a second", slow_bodies),
    Kind("announced-bodies", "30 addresses that announce bodies of 27 MB and send a byte", announced),
    Kind("unread-answers", "pictures of 18 MB that aren't read", unread_answers, seconds=12),
    Kind("garbage", "random bytes and other protocols, eight callers", garbage),
    Kind("tiny-chunks", "bodies in chunks of one byte", tiny_chunks),
    Kind("multipart", "100,000 parts; headers of a part that don't end; 4 MB of almost-boundaries", multipart),
    Kind("half-handshakes", "900 connections with half a TLS handshake", half_handshakes, tls=True),
    Kind("hang-ups", "callers who go away at random moments", hang_ups),
)
