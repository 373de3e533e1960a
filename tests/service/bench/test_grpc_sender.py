"""The gRPC sender of the load generator, against a real server with an echo engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np
import pytest

from hiseg.batching.admission import State
from hiseg.bench.grpc_sender import GrpcSender
from hiseg.bench.load import closed_loop
from hiseg.bench.mix import parse_people, parse_sizes
from hiseg.bench.sender import Reply, Request
from hiseg.bench.workload import Workload
from hiseg.core.command_errors import BadOption
from hiseg.core.errors import Overloaded, Reason
from tests.service.transports.grpc.harness import Running, running


def requests(options: Mapping[str, str] | None = None, callers: int = 1) -> list[Request]:
    workload = Workload(parse_sizes("64x48"), parse_people("1-3"), options or {}, callers)
    return workload.requests(np.random.default_rng(0))


async def sent(service: Running, request: Request, timeout_s: float = 5) -> Reply:
    async with GrpcSender.open(f"grpc://{service.address}", requests(request.options), timeout_s) as sender:
        return await sender.send(request)


def test_good_answers() -> None:
    async def scenario() -> None:
        async with running() as service:
            many = requests()
            async with GrpcSender.open(f"grpc://{service.address}", many, 5) as sender:
                replies = [await sender.send(request) for request in many[:20]]
            assert {reply.outcome for reply in replies} == {"ok"}
            assert all(list(reply.stages) == ["decode", "queue", "infer", "masks", "encode"] for reply in replies)
            assert all(reply.size > 100 for reply in replies)
            assert [len(batch.rois) for batch in service.engine.batches] == [request.people for request in many[:20]]

    asyncio.run(scenario())


def test_options_are_sent() -> None:
    async def scenario() -> None:
        async with running() as service:
            plain, picture = (requests(options)[0] for options in ({}, {"mask_format": "overlay", "priority": "batch"}))
            assert (await sent(service, picture)).size > 10 * (await sent(service, plain)).size
            named = await sent(service, requests({"model": "echo", "variant": "b9"})[0])
            assert "model 'echo' is of variant 'b0'" in named.detail

    asyncio.run(scenario())


def test_a_closed_loop() -> None:
    async def scenario() -> None:
        async with running() as service:
            many = requests()
            async with GrpcSender.open(f"grpc://{service.address}", many, 5) as sender:
                samples = await closed_loop(sender, many, concurrency=4, seconds=0.2)
            assert {sample.reply.outcome for sample in samples} == {"ok"}
            assert service.counted() == {"ok": len(samples)}

    asyncio.run(scenario())


def test_what_goes_wrong_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise Overloaded("too much", reason=Reason.WAIT_TOO_LONG)

    async def broken(*_: object) -> None:
        raise RuntimeError

    async def scenario() -> None:
        async with running() as service:
            (plain, short, unknown) = (
                requests(options)[0] for options in ({}, {"deadline_ms": "50"}, {"mask_format": "png"})
            )
            service.engine.gate.clear()
            assert await sent(service, short) == Reply("504")
            assert await sent(service, plain, timeout_s=0.1) == Reply("timeout")
            service.engine.gate.set()
            monkeypatch.setattr(service.segmenter, "segment", full)
            assert await sent(service, plain) == Reply("429")
            monkeypatch.setattr(service.segmenter, "segment", broken)
            bug = await sent(service, unknown)
            assert (bug.outcome, "a bug" in bug.detail) == ("500", True)
            service.segmenter.admission.state = State.DRAINING
            assert await sent(service, plain) == Reply("503")
        gone = await sent(service, plain)
        assert (gone.outcome, "refused" in gone.detail) == ("connection error", True)

    asyncio.run(scenario())


def test_a_message_that_grpc_itself_refuses_is_not_shed_load() -> None:
    async def scenario() -> None:
        async with running() as service:
            large = Request(0, bytes(22 * 2**20), (), {})
            async with GrpcSender.open(f"grpc://{service.address}", [large], 5) as sender:
                reply = await sender.send(large)
            assert reply.outcome == "413"
            assert "larger than max" in reply.detail
            bad = Request(0, b"GIF89a", (), {})
            async with GrpcSender.open(f"grpc://{service.address}", [bad], 5) as sender:
                reply = await sender.send(bad)
            assert (reply.outcome, "image/webp" in reply.detail) == ("415", True)

    asyncio.run(scenario())


def test_unsupported_options_are_refused() -> None:
    async def scenario(url: str, many: list[Request]) -> None:
        async with GrpcSender.open(url, many, 5):
            pass

    with pytest.raises(BadOption, match="no port"):
        asyncio.run(scenario("grpc://127.0.0.1", requests()))
    with pytest.raises(BadOption, match="--callers: '3'"):
        asyncio.run(scenario("grpc://127.0.0.1:1", requests(callers=3)))
