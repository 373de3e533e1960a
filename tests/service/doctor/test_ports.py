"""The doctor checks whether the service could listen on its ports."""

from __future__ import annotations

import socket

import httpx

from benchmarks.harness.serving import Server
from hiseg.doctor.finding import Level
from hiseg.doctor.ports import check_ports
from hiseg.settings import Settings


def test_free_ports_are_fine() -> None:
    assert [finding.level for finding in check_ports(Settings(port=0, grpc_port=0))] == [Level.OK, Level.OK]


def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        http, grpc = check_ports(Settings(port=0, grpc_port=taken))
    assert http.level is Level.OK
    assert grpc.level is Level.WRONG
    assert f"gRPC on 127.0.0.1:{taken}" in grpc.found
    assert "grpc_port" in grpc.mend


def test_ports_of_a_running_hiseg_are_fine(server: Server) -> None:
    port, grpc_port = httpx.URL(server.url).port, httpx.URL(server.grpc).port
    found = list(check_ports(Settings(port=port, grpc_port=grpc_port)))
    assert [finding.level for finding in found] == [Level.OK, Level.OK]
    assert all("hiseg runs here" in finding.found for finding in found)


def test_an_address_of_another_machine_is_reported() -> None:
    assert [finding.level for finding in check_ports(Settings(host="192.0.2.1"))] == [Level.WRONG, Level.WRONG]
