"""The standard health service follows the service's state."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse, HealthListRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from hiseg.batching.admission import State
from hiseg.transports.grpc.health import SERVICES
from hiseg.transports.grpc.servicer import SERVICE
from tests.service.transports.grpc.harness import running

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def test_check_and_list() -> None:
    async def scenario() -> None:
        async with running() as service:
            health = HealthStub(service.channel)
            for state, status in (
                (State.STARTING, NOT_SERVING),
                (State.READY, SERVING),
                (State.DRAINING, NOT_SERVING),
            ):
                service.segmenter.admission.state = state
                for name in ("", SERVICE):
                    assert (await health.Check(HealthCheckRequest(service=name))).status == status
                listed = (await health.List(HealthListRequest())).statuses
                assert {name: found.status for name, found in listed.items()} == {"": status, SERVICE: status}
            with pytest.raises(AioRpcError) as caught:
                await health.Check(HealthCheckRequest(service="other"))
            assert caught.value.code() is StatusCode.NOT_FOUND
            assert service.counted() == {}

    asyncio.run(scenario())


@pytest.mark.parametrize("name", SERVICES)
def test_watch_reports_changes_and_ends_when_the_service_drains(name: str) -> None:
    async def scenario() -> None:
        async with running() as service:
            service.segmenter.admission.state = State.STARTING
            told = []
            async with asyncio.timeout(30):
                async for response in HealthStub(service.channel).Watch(HealthCheckRequest(service=name)):
                    told.append(response.status)
                    following = {1: State.READY, 2: State.DRAINING}
                    service.segmenter.admission.state = following.get(len(told), State.DRAINING)
            assert told == [NOT_SERVING, SERVING, NOT_SERVING]

    asyncio.run(scenario())


def test_watch_reports_that_no_engine_answers_and_that_one_is_back() -> None:
    async def scenario() -> None:
        async with running() as service:
            service.engine.subscribe(service.segmenter.engines_changed)
            health = HealthStub(service.channel)
            watch = health.Watch(HealthCheckRequest())
            async with asyncio.timeout(30):
                for slots, status in ((1, SERVING), (0, NOT_SERVING), (1, SERVING)):
                    service.engine.slots = slots
                    service.engine.changed()
                    assert (await watch.read()).status == status
                    assert (await health.Check(HealthCheckRequest())).status == status
            watch.cancel()

    asyncio.run(scenario())


def test_watch_of_an_unknown_service() -> None:
    async def scenario() -> None:
        async with running() as service:
            watch = HealthStub(service.channel).Watch(HealthCheckRequest(service="other"))
            assert (await watch.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
            watch.cancel()

    asyncio.run(scenario())
