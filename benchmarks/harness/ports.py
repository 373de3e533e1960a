"""Free ports for servers that are stopped and started again on the same port."""

from __future__ import annotations

import contextlib
import random
import socket

PORTS = range(20000, 32000)
"""Under those that the kernel gives to clients: nobody takes a server's port while it is down."""


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listens on.

    Args:
        count: how many.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
