"""What both gRPC transports set up alike."""

from __future__ import annotations

import time
from dataclasses import replace

from benchmarks.harness.paths import SAMPLE
from hiseg.client.grpc_sync import GrpcTransport
from hiseg.client.request import make_request
from hiseg.client.transport import parse_address
from tests.service.client.scripted_servers import Step, grpc_server

TURNS_BY = 10
"""Seconds by which both servers have been asked; the second is connected to a moment after the first."""


def test_calls_take_turns_among_the_addresses_of_a_name() -> None:
    with grpc_server([Step()]) as one, grpc_server([Step()]) as other:
        targets = [parse_address(heard.url).target for heard in (one, other)]
        transport = GrpcTransport(replace(parse_address(one.url), target=f"ipv4:{','.join(targets)}"))
        send = transport.prepare(make_request(SAMPLE, [(1, 1, 9, 9)], {}))
        until = time.monotonic() + TURNS_BY
        while not (one.times and other.times):
            assert time.monotonic() < until
            send(TURNS_BY)
        transport.close()
