"""Addresses of Triton servers: parsing ``triton://a:8001,b:8001``, and resolving its names by DNS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hiseg.core.listening import bracketed

SCHEME = "triton://"
DEFAULT_PORT = 8001
"""Triton's default port for gRPC."""


@dataclass(frozen=True, slots=True)
class Target:
    """Host and port as configured; a host name may stand for many servers.

    Attributes:
        host: DNS name, or IPv4 or IPv6 address.
        port: port of gRPC.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def parse_targets(text: str) -> tuple[Target, ...]:
    """Parse ``triton://host:port,host:port``; the port may be left out, and IPv6 addresses are written in brackets.

    Raises:
        ValueError: the text has another form; the message says what is wrong.
    """
    parts = [part.strip() for part in text.removeprefix(SCHEME).split(",")]
    if not text.startswith(SCHEME) or not all(parts):
        raise ValueError(f"it is {SCHEME}host:port, with commas between several")
    targets = []
    for part in parts:
        try:
            url = urlsplit(f"//{part}")
            host, port = url.hostname, url.port or DEFAULT_PORT
        except ValueError as error:
            raise ValueError(f"{part!r} in {text!r} is not host:port: {error}") from error
        if not host or url.path or url.query or url.username is not None:
            raise ValueError(f"{part!r} in {text!r} is not host:port")
        targets.append(Target(host, port))
    return tuple(dict.fromkeys(targets))


async def resolve(targets: Sequence[Target]) -> set[str]:
    """``address:port`` of every server behind the targets; names that can't be resolved now are left out.

    Of a name with IPv4 and IPv6 addresses only the IPv4 addresses are used, since they are the same servers.
    """
    found = await asyncio.gather(*(_resolve(target) for target in targets))
    return set().union(*found)


async def _resolve(target: Target) -> set[str]:
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    four = {f"{address}:{target.port}" for kind, address in _addresses(entries) if kind == socket.AF_INET}
    six = {f"[{address}]:{target.port}" for kind, address in _addresses(entries) if kind == socket.AF_INET6}
    return four or six


def _addresses(entries: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, str]]:
    return ((entry[0], str(entry[4][0])) for entry in entries)
