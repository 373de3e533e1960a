"""A client of HTTP/2 by hand, for what no gRPC client does: messages that never end, answers that nobody reads."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW = 65535


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def prefixed(message: bytes, length: int | None = None) -> bytes:
    """A message with gRPC's prefix, which says that it has ``length`` bytes."""
    return b"\0" + struct.pack(">I", len(message) if length is None else length) + message


class RawClient:
    """One connection, which never opens the window of a call again; use :meth:`opened`.

    Attributes:
        received: bytes of answers, by stream.
        ended: streams that the service has ended.
        closed: set when the service has closed the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._windows: Counter[int] = Counter()
        self._opened = asyncio.Condition()
        self._next = 1
        self.received: Counter[int] = Counter()
        self.ended: set[int] = set()
        self.closed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def opened(cls, address: str, window: int = 2**24) -> RawClient:
        """A client of an address, with a window of so many more bytes for the whole connection."""
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window)))
        client = cls(reader, writer)
        client._windows[0] = INITIAL_WINDOW
        return client

    def call(self, method: str, *metadata: tuple[str, str]) -> int:
        """Begin a call of ``service/method``; returns its stream."""
        fixed = ((":method", "POST"), (":scheme", "http"), (":path", f"/{method}"), (":authority", "x"))
        headers = (*fixed, ("content-type", "application/grpc"), ("te", "trailers"), *metadata)
        block = b"".join(
            b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in headers
        )
        stream, self._next = self._next, self._next + 2
        self._windows[stream] = INITIAL_WINDOW
        self._writer.write(frame(HEADERS, END_HEADERS, stream, block))
        return stream

    async def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send data as the windows open; returns early if the service ends the call."""
        while data and stream not in self.ended and not self.closed.is_set():
            size = min(len(data), 16384, self._windows[stream], self._windows[0])
            if size > 0:
                self._writer.write(frame(DATA, 0, stream, data[:size]))
                data = data[size:]
                self._windows.subtract({stream: size, 0: size})
                await self._writer.drain()
            else:
                async with self._opened:
                    await self._opened.wait()
        if end:
            self._writer.write(frame(DATA, END_STREAM, stream))

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
                stream = int.from_bytes(head[5:], "big")
                payload = await self._reader.readexactly(length)
                if kind == WINDOW_UPDATE:
                    self._windows[stream] += int.from_bytes(payload, "big")
                elif kind == SETTINGS and not flags & ACK:
                    self._writer.write(frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    self._writer.write(frame(PING, ACK, 0, payload))
                elif kind == DATA:
                    self.received[stream] += length
                if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
                    self.ended.add(stream)
                async with self._opened:
                    self._opened.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
            async with self._opened:
                self._opened.notify_all()

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        self._writer.close()
