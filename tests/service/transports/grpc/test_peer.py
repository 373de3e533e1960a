"""Who a call is from."""

from __future__ import annotations

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from hiseg.transports.grpc.peer import TrustedProxies, address

PEER = "ipv4:10.0.0.9:60566"
TRUSTED = [("127.0.0.1",), ("10.0.0.9",), ("10.0.0.0/24", "127.0.0.1"), ("*",)]
TOLD = ["", "8.8.8.8", "1.1.1.1, 8.8.8.8", "8.8.8.8, 10.0.0.7", "10.0.0.3,10.0.0.7", "somebody"]


def test_addresses_are_named_as_over_http() -> None:
    assert address("ipv4:127.0.0.1:60566") == "127.0.0.1"
    assert address("ipv6:%5B::1%5D:44240") == "::1"
    assert address("ipv6:%5Bfe80::1%25eth0%5D:44240") == "fe80::1%eth0"
    assert address("unix:") == "unix:"


@pytest.mark.parametrize("trusted", TRUSTED, ids=",".join)
@pytest.mark.parametrize("told", TOLD)
def test_proxies_are_believed_as_over_http(trusted: tuple[str, ...], told: str) -> None:
    """Uvicorn's own answer to the same question."""
    hosts = ProxyHeadersMiddleware(None, list(trusted)).trusted_hosts  # type: ignore[arg-type]
    over_http = "10.0.0.9"
    if told and over_http in hosts:
        over_http = hosts.get_trusted_client_address(told)[0]
    metadata = [("x-forwarded-for", told)] if told else []
    assert TrustedProxies(trusted).caller(PEER, metadata) == over_http


def test_a_socket_has_no_proxies() -> None:
    assert TrustedProxies(("127.0.0.1",)).caller("unix:", [("x-forwarded-for", "8.8.8.8")]) == "unix:"
