"""The sockets of gRPC's connections: what each has received and sent, and how to cut one off.

gRPC says nothing of a message before it is whole, and can't end a call whose answer isn't read. But its sockets are
this process's own, so the kernel can be asked about them. That takes Linux; elsewhere no socket is ever found.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote

OWN_FILES = "/proc/self/fd"
TCP_INFO = getattr(socket, "TCP_INFO", 11)
COUNTS = struct.Struct("=120xQQ")
"""``tcpi_bytes_acked`` and ``tcpi_bytes_received`` in the kernel's ``struct tcp_info``."""
Endpoint: TypeAlias = tuple[str, int]
"""Address and port of the other end of a connection."""


class Counts(NamedTuple):
    """The bytes of a connection since it was made.

    Attributes:
        taken: sent by us, and acknowledged by the other end.
        received: received by us, also if nobody has read them from the socket yet.
    """

    taken: int
    received: int


def endpoint_of(peer: str) -> Endpoint | None:
    """Return the other end of a connection that gRPC calls ``ipv6:%5B::1%5D:99``, say; None if it is no IP address.

    The address is written in one way only: an IPv4 address as such, however it came, and one of IPv6 without its zone.
    """
    kind, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    return _endpoint(host.strip("[]"), int(port)) if kind in ("ipv4", "ipv6") and port.isdecimal() else None


def _endpoint(host: str, port: int) -> Endpoint:
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if address.version == 6 else None
    return str(mapped or address), port


class Sockets:
    """The connected sockets at one port of this process.

    Attributes:
        port: the port that connections come to; 0: none yet, and no socket is found.
    """

    def __init__(self) -> None:
        self.port = 0
        # The number of each socket's file, and its other end as the kernel names it.
        self._files: dict[Endpoint, tuple[int, object]] = {}

    def scan(self) -> list[Endpoint]:
        """Look at all sockets, and return the other ends of those that are connected."""
        self._files = {}
        with suppress(OSError):
            for name in os.listdir(OWN_FILES):
                with suppress(OSError), _duplicate(int(name)) as found:
                    if self._is_ours(found):
                        other = found.getpeername()
                        self._files[_endpoint(*other[:2])] = int(name), other
        return list(self._files)

    def count(self, endpoint: Endpoint) -> Counts | None:
        """Count the bytes of a connection since it was made; None if :meth:`scan` didn't see it, or it is gone."""
        found = self._open(endpoint)
        if found is None:
            return None
        with found:
            info = found.getsockopt(socket.IPPROTO_TCP, TCP_INFO, COUNTS.size)
        return Counts(*COUNTS.unpack(info)) if len(info) == COUNTS.size else None

    def shut_down(self, endpoint: Endpoint) -> None:
        """End a connection, and with it all calls on it; without effect if it isn't found."""
        found = self._open(endpoint)
        if found is not None:
            with found, suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    def _open(self, endpoint: Endpoint) -> socket.socket | None:
        """Return a duplicate of the socket of a connection, or None if it isn't known or is gone.

        A duplicate, for gRPC's threads may close the file at any time, and its number be given to another.
        """
        file, other = self._files.get(endpoint, (-1, None))
        try:
            found = _duplicate(file)
        except OSError:
            return None
        with suppress(OSError):
            if found.getpeername() == other and self._is_ours(found):
                return found
        found.close()
        return None

    def _is_ours(self, found: socket.socket) -> bool:
        """Whether a socket is at our port.

        Raises:
            OSError: it is no socket.
        """
        name = found.getsockname()  # text, if it is a socket of another kind
        return isinstance(name, tuple) and name[1] == self.port


def _duplicate(file: int) -> socket.socket:
    """Return a socket object for a duplicate of a file.

    Raises:
        OSError: there is no such file, or it is no socket.
    """
    copy = os.dup(file)
    try:
        # The family decides how long an address may be, not how it is read.
        return socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=copy)
    except OSError:
        os.close(copy)
        raise
