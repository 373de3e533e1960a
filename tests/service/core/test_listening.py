"""Listening, and what is said where it isn't possible, with real sockets."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from hiseg.core.listening import ListenError, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"])
def test_it_listens_on_every_address_of_a_host(host: str) -> None:
    sockets = listen("HTTP", host, 0, "port")
    try:
        ports = {each.getsockname()[1] for each in sockets}
        assert len(ports) == 1, "a port that the system chose is that of all addresses"
        (port,) = ports
        targets = {"0.0.0.0": ["127.0.0.1"], "::": ["127.0.0.1", "::1"]}.get(host, [host])
        for target in targets:
            socket.create_connection((target, port), timeout=5).close()
    finally:
        for each in sockets:
            each.close()


@pytest.mark.parametrize(
    ("host", "found", "mend"),
    [
        ("192.0.2.1", "HTTP on 192.0.2.1:0 can't be had: Cannot assign requested address", "`ip address`"),
        ("2001:db8::1", "HTTP on [2001:db8::1]:0 can't be had: Cannot assign requested address", "`ip address`"),
        ("nowhere.invalid", "HTTP on nowhere.invalid:0 can't be had: ", "or to a name that it knows"),
    ],
)
def test_an_address_that_is_not_of_this_machine(host: str, found: str, mend: str) -> None:
    with pytest.raises(ListenError) as caught:
        listen("HTTP", host, 0, "port")
    assert caught.value.found.startswith(found)
    assert mend in caught.value.mend
    assert str(caught.value) == f"{caught.value.found}. {caught.value.mend}"


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            listen("gRPC", "127.0.0.1", port, "grpc_port")
    assert caught.value.found == f"gRPC on 127.0.0.1:{port} can't be had: Address already in use"
    assert "set grpc_port or host" in caught.value.mend
    for each in listen("gRPC", "127.0.0.1", port, "grpc_port"):
        each.close()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can give its rights away and back")
def test_a_port_that_only_privileged_processes_may_use() -> None:
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 80:
            pytest.skip("here everybody may use every port")
    os.seteuid(65534)
    try:
        with pytest.raises(ListenError) as caught:
            listen("HTTP", "127.0.0.1", 80, "port")
    finally:
        os.seteuid(0)
    assert "Permission denied" in caught.value.found
    assert "Set port to 1024 or more" in caught.value.mend
