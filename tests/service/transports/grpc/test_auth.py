"""API keys, who needs one and where it may stand; and the addresses that calls come from."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from pydantic import ValidationError
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from hiseg.settings import Settings
from hiseg.transports.grpc.auth import TrustedProxies, peer_address
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.camera import FRAME, Camera
from tests.service.transports.grpc.harness import running

PEER = "ipv4:10.0.0.9:60566"
TRUSTED = [("127.0.0.1",), ("10.0.0.9",), ("10.0.0.0/24", "127.0.0.1"), ("*",)]
TOLD = ["", "8.8.8.8", "1.1.1.1, 8.8.8.8", "8.8.8.8, 10.0.0.7", "10.0.0.3,10.0.0.7", "somebody"]
KEY = "correct horse"
DIGESTS = sha256(b"another").hexdigest(), sha256(KEY.encode()).hexdigest()
GOOD = [("x-api-key", KEY)], [("authorization", f"Bearer {KEY}")], [("authorization", f"bearer  {KEY}")]
BAD = [], [("x-api-key", "wrong")], [("x-api-key", "")], [("authorization", KEY)], [("x-api-key", DIGESTS[1])]


def test_calls_and_streams_need_a_key() -> None:
    async def scenario() -> None:
        async with running(Settings(api_keys=DIGESTS)) as service:
            for metadata in GOOD:
                await service.stub.GetInfo(pb.GetInfoRequest(), metadata=metadata)
                answer = await service.stub.Segment(pb.SegmentRequest(**FRAME), metadata=metadata)
                assert len(answer.instances) == 1
            camera = Camera(service, GOOD[0])
            await camera.call.write(pb.SegmentStreamRequest(config={}))
            await camera.send()
            assert await camera.finish() is StatusCode.OK
            assert camera.outcomes == ["result"]
            for metadata in BAD:
                for method, request in (("GetInfo", pb.GetInfoRequest()), ("Segment", pb.SegmentRequest(**FRAME))):
                    with pytest.raises(AioRpcError) as caught:
                        await getattr(service.stub, method)(request, metadata=metadata, timeout=30)
                    assert caught.value.code() is StatusCode.UNAUTHENTICATED
                    assert "x-api-key" in str(caught.value.details())
                stranger = Camera(service, metadata)
                assert await asyncio.wait_for(stranger.rest(), 30) is StatusCode.UNAUTHENTICATED
            assert service.counted() == {"ok": len(GOOD)}

    asyncio.run(scenario())


def test_health_needs_none() -> None:
    async def scenario() -> None:
        async with running(Settings(api_keys=DIGESTS)) as service:
            health = HealthStub(service.channel)
            assert (await health.Check(HealthCheckRequest())).status == HealthCheckResponse.SERVING

    asyncio.run(scenario())


def test_digests_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_API_KEYS", f"{DIGESTS[0].upper()}, web:{DIGESTS[1]}")
    assert Settings().api_keys == (DIGESTS[0].upper(), f"web:{DIGESTS[1]}")
    monkeypatch.setenv("HISEG_API_KEYS", "the key itself")
    with pytest.raises(ValidationError, match="api_keys"):
        Settings()


def test_addresses_are_named_as_over_http() -> None:
    assert peer_address("ipv4:127.0.0.1:60566") == "127.0.0.1"
    assert peer_address("ipv6:%5B::1%5D:44240") == "::1"
    assert peer_address("ipv6:%5Bfe80::1%25eth0%5D:44240") == "fe80::1%eth0"
    assert peer_address("unix:") == "unix:"


@pytest.mark.parametrize("trusted", TRUSTED, ids=",".join)
@pytest.mark.parametrize("told", TOLD)
def test_proxies_are_trusted_as_over_http(trusted: tuple[str, ...], told: str) -> None:
    """Uvicorn's own answer to the same question."""
    hosts = ProxyHeadersMiddleware(None, list(trusted)).trusted_hosts  # type: ignore[arg-type]
    over_http = "10.0.0.9"
    if told and over_http in hosts:
        over_http = hosts.get_trusted_client_address(told)[0]
    metadata = [("x-forwarded-for", told)] if told else []
    assert TrustedProxies(trusted).client_address(PEER, metadata) == over_http


def test_a_socket_has_no_proxies() -> None:
    assert TrustedProxies(("127.0.0.1",)).client_address("unix:", [("x-forwarded-for", "8.8.8.8")]) == "unix:"
