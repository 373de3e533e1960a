"""Listens on the addresses of a host, and says in plain words why that isn't possible."""

from __future__ import annotations

import errno
import re
import socket
from ipaddress import IPv6Address

from hiseg.core.errors import shorten
from hiseg.core.start_error import StartError

BACKLOG = 2048
"""Connections that may wait to be accepted."""
FIRST_FREE_PORT = 1024
"""Ports under it are kept for privileged processes."""

HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
NAME = "Set host to an address of this machine, or to a name that it knows."


class ListenError(StartError):
    """A port can't be listened on, or a TLS file can't be used."""


def parse_host(text: str) -> str:
    """An address or a name, in the one spelling that gRPC and sockets both know.

    Raises:
        ValueError: it is neither an IPv4 nor an IPv6 address, with or without brackets, nor a name.
    """
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        if ":" in host:
            address = IPv6Address(host)
            return str(address.ipv4_mapped or address)
        if HOST_NAME.fullmatch(host):
            return host
    except ValueError:
        pass
    raise ValueError("it is an IPv4 or IPv6 address, or the name of a host, without a port")


def bracketed(host: str) -> str:
    """A host as it stands in an URL, or before a port: an IPv6 address has brackets around it."""
    return f"[{host}]" if ":" in host else host


def listen(transport: str, host: str, port: int, setting: str) -> list[socket.socket]:
    """Listen on every address that a host has; the address ``::`` is that of IPv4 too.

    Args:
        transport: what is to be served there, e.g. "HTTP".
        host: an address or a name.
        port: 0 takes a free one, the same for all addresses.
        setting: the setting that the port comes from.

    Raises:
        ListenError: there is no such host, or the port can't be had.
    """
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            # The rest of an IPv6 address says which network it is of.
            place = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
            both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
            sockets.append(socket.create_server(place, family=family, backlog=BACKLOG, dualstack_ipv6=both))
    except UnicodeError as error:  # a name with an empty part, or one of over 63 characters
        raise ListenError(
            f"{transport} on {shorten(host)}:{port} can't be had: no host has such a name", NAME
        ) from error
    except OSError as error:
        for each in sockets:
            each.close()
        why = (error.strerror or str(error)).partition(" (while")[0]
        found = f"{transport} on {bracketed(host)}:{port} can't be had: {why}"
        raise ListenError(found, _mend(error, host, port, setting)) from error
    return sockets


def _mend(error: OSError, host: str, port: int, setting: str) -> str:
    if isinstance(error, socket.gaierror):
        return NAME
    if error.errno == errno.EINVAL and host.lower().startswith("fe80:") and "%" not in host:
        return f"Say which network it is of, such as {host}%eth0 (`ip address` shows them)."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"Set host to an address of this machine (`ip address` shows them), not {host}."
    if error.errno in (errno.EACCES, errno.EPERM) and port < FIRST_FREE_PORT:
        return f"Set {setting} to {FIRST_FREE_PORT} or more, or give the process the right to use a lower one."
    return f"End what listens there (`ss -ltnp` shows it), or set {setting} or host to another."
