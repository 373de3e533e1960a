"""Could the service listen on the ports that the settings name?"""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator

from hiseg.doctor.finding import Finding, ok, wrong
from hiseg.settings import Settings

ANSWER_S = 2.0
"""Seconds that a running service has to answer."""


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Check the ports of HTTP and gRPC; one that is taken by a running hiseg is as it should be."""
    if settings.port == settings.grpc_port != 0:
        yield wrong("ports", f"port {settings.port} is set for HTTP and for gRPC", "Give each its own.")
        return
    runs = _hiseg_answers(settings.host, settings.port)
    for name, transport, port in (("port", "HTTP", settings.port), ("grpc_port", "gRPC", settings.grpc_port)):
        where = f"{transport} on {settings.host}:{port}"
        try:
            _bind(settings.host, port)
        except OSError as error:
            if runs:
                yield ok("ports", f"{where} is taken, and hiseg runs here")
            else:
                yield wrong(
                    "ports",
                    f"{where} can't be had: {error.strerror or error}",
                    f"End what listens there (`ss -ltnp` shows it), or set {name} or host to another.",
                )
        else:
            yield ok("ports", f"{where} is free")


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do: connections that ended a moment ago are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)


def _hiseg_answers(host: str, port: int) -> bool:
    if port == 0:
        return False
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    own = f"[{own}]" if ":" in own else own
    try:
        with urllib.request.urlopen(f"http://{own}:{port}/v1/info", timeout=ANSWER_S) as answer:
            return "limits" in json.load(answer)
    except (OSError, ValueError):
        return False
