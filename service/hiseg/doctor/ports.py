"""Could the service listen on the ports that the settings name?"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

from hiseg.core.listening import ListenError, bracketed, listen
from hiseg.doctor.finding import Finding, ok, wrong
from hiseg.settings import Settings

ANSWER_S = 2.0
"""Seconds that a running service has to answer."""


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Check the ports of HTTP and gRPC; one that is taken by a running hiseg is as it should be."""
    runs = _hiseg_answers(settings.host, settings.port)
    for name, transport, port in (("port", "HTTP", settings.port), ("grpc_port", "gRPC", settings.grpc_port)):
        where = f"{transport} on {bracketed(settings.host)}:{port}"
        try:
            sockets = listen(transport, settings.host, port, name)
        except ListenError as error:
            if runs:
                yield ok("ports", f"{where} is taken, and hiseg runs here")
            else:
                yield wrong("ports", error.found, error.mend)
        else:
            for each in sockets:
                each.close()
            yield ok("ports", f"{where} is free")


def _hiseg_answers(host: str, port: int) -> bool:
    if port == 0:
        return False
    own = bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))
    try:
        with urllib.request.urlopen(f"http://{own}:{port}/v1/info", timeout=ANSWER_S) as answer:
            return "limits" in json.load(answer)
    except (OSError, ValueError):
        return False
