"""One HTTP/2 connection whose frames are written by hand, since gRPC's own client never misbehaves."""

from __future__ import annotations

import contextlib
import select
import struct
import time
from collections.abc import Sequence

from benchmarks.hostile.kind import Target
from benchmarks.hostile.wire import ATTACKER, connect

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIRST_WINDOW = 65535
FRAME_BYTES = 16384
LARGEST_WINDOW = 2**31 - 1
INITIAL_WINDOW_SIZE = 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def grpc_message(payload: bytes, length: int | None = None) -> bytes:
    """A message as gRPC frames it.

    Args:
        payload: its bytes.
        length: what is announced instead of their number.
    """
    return b"\0" + struct.pack(">I", len(payload) if length is None else length) + payload


def _literal(name: str, value: str) -> bytes:
    """A header that isn't compressed."""
    return b"\0" + _text(name.encode()) + _text(value.encode())


def _text(data: bytes) -> bytes:
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, prefix = len(data) - 127, bytearray([127])
    while rest >= 128:
        prefix.append(rest % 128 + 128)
        rest //= 128
    return bytes([*prefix, rest]) + data


class Http2:
    """A connection to the gRPC port.

    Args:
        target: the service.
        window: bytes that the service may send before it is allowed more, on the whole connection.
        stream_window: the same for each stream.
        address: the caller's own.
    """

    def __init__(
        self, target: Target, window: int = LARGEST_WINDOW, stream_window: int = FIRST_WINDOW, address: str = ATTACKER
    ) -> None:
        self.socket = connect(target.grpc, address)
        self.socket.setblocking(False)
        self.closed = False
        self.ended: set[int] = set()
        """Streams that the service has ended or reset."""
        self.received: dict[int, int] = {}
        """Bytes of data that came on each stream."""
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, stream_window)
        self._out = bytearray(PREFACE + frame(SETTINGS, 0, 0, settings))
        if window > FIRST_WINDOW:
            self._out += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window - FIRST_WINDOW))
        self._in = b""
        self._next = 1
        self._windows: dict[int, int] = {}
        self._connection_window = FIRST_WINDOW
        self._stream_window = FIRST_WINDOW
        self.pump(0.2)

    def open(self, method: str, key: str = "", more: Sequence[tuple[str, str]] = ()) -> int:
        """Begin a call; returns its stream.

        Args:
            method: its path.
            key: API key; empty: none.
            more: further metadata.
        """
        stream = self._next
        self._next += 2
        self._windows[stream] = self._stream_window
        metadata = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "service"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *([("x-api-key", key)] if key else []),
            *more,
        ]
        self._out += frame(HEADERS, END_HEADERS, stream, b"".join(_literal(*pair) for pair in metadata))
        return stream

    def send(self, stream: int, data: bytes) -> int:
        """Send as much of some data as the windows allow; returns how much that was."""
        count = max(0, min(len(data), self._windows.get(stream, 0), self._connection_window))
        for start in range(0, count, FRAME_BYTES):
            self._out += frame(DATA, 0, stream, data[start : min(count, start + FRAME_BYTES)])
        self._windows[stream] = self._windows.get(stream, 0) - count
        self._connection_window -= count
        return count

    def send_all(self, stream: int, data: bytes, until: float) -> None:
        """Send data as the windows open, until it is sent or the time is over."""
        view = memoryview(data)
        while view and not self.closed and stream not in self.ended and time.monotonic() < until:
            view = view[self.send(stream, bytes(view[: 1 << 20])) :]
            self.pump(0.002)

    def end(self, stream: int) -> None:
        """Say that nothing more comes on a stream."""
        self._out += frame(DATA, END_STREAM, stream)

    def reset(self, stream: int) -> None:
        """Give a call up."""
        self._out += frame(RESET, 0, stream, struct.pack(">I", 8))

    def raw(self, data: bytes) -> None:
        """Send frames as they are."""
        self._out += data

    def pump(self, seconds: float = 0.0) -> None:
        """Send and receive for so long."""
        end = time.monotonic() + seconds
        while not self.closed:
            left = max(0.0, end - time.monotonic())
            can_read, can_write, _ = select.select([self.socket], [self.socket] if self._out else [], [], left)
            try:
                if can_write:
                    with contextlib.suppress(BlockingIOError):
                        del self._out[: self.socket.send(bytes(self._out[: 1 << 18]))]
                if can_read:
                    data = self.socket.recv(1 << 18)
                    self.closed = not data
                    self._in += data
                    self._read_frames()
            except OSError:
                self.closed = True
            if time.monotonic() >= end and not (self._out and can_write):
                return

    def _read_frames(self) -> None:
        at = 0
        while len(self._in) >= at + 9:
            size = int.from_bytes(self._in[at : at + 3], "big")
            if len(self._in) < at + 9 + size:
                break
            kind, flags = self._in[at + 3], self._in[at + 4]
            stream = int.from_bytes(self._in[at + 5 : at + 9], "big")
            self._on_frame(kind, flags, stream, self._in[at + 9 : at + 9 + size])
            at += 9 + size
        self._in = self._in[at:]

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE and stream:
            self._windows[stream] = self._windows.get(stream, 0) + int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE:
            self._connection_window += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == INITIAL_WINDOW_SIZE:
                    self._windows = {key: old + value - self._stream_window for key, old in self._windows.items()}
                    self._stream_window = value
            self._out += frame(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self._out += frame(PING, ACK, 0, payload)
        elif kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self.ended.add(stream)
        if kind == DATA:
            self.received[stream] = self.received.get(stream, 0) + len(payload)


def pump_all(connections: Sequence[Http2], until: float) -> None:
    """Answer pings and open windows on all connections, without sending anything else, until a time."""
    while time.monotonic() < until:
        for connection in connections:
            connection.pump()
        time.sleep(0.1)
