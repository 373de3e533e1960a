"""Bodies that come too slowly, and answers that are read too slowly, on the application in this process."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import httpx
import numpy as np
import PIL.Image
import pytest
import uvicorn

from benchmarks.harness.echo import EchoEngine, echoing
from hiseg.access.key_store import KeyStore
from hiseg.batching.batcher import Batcher
from hiseg.core.result import ModelRef
from hiseg.engines.base import Cost
from hiseg.lifecycle import listen_for_http
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.http import handler, unread
from hiseg.transports.http.app import create_http
from hiseg.transports.http.connection import Connection
from hiseg.transports.http.open_connections import OpenConnections
from tests.service.transports.http.test_problems import app, post

MEBI = 1024 * 1024
JPEG = {"content-type": "image/jpeg"}


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, Segmenter]]:
    """The application behind a port."""
    async with echoing(EchoEngine()) as segmenter:
        config = uvicorn.Config(
            create_http(segmenter, Settings(), Metrics(), KeyStore()), log_config=None, ws="none", access_log=False
        )
        config.load()
        config.http_protocol_class = partial(Connection, open_connections=OpenConnections())  # type: ignore[assignment]
        server = uvicorn.Server(config)
        sockets = listen_for_http("127.0.0.1", 0)
        serving = asyncio.create_task(server._serve(sockets))
        try:
            yield sockets[0].getsockname()[1], segmenter
        finally:
            server.should_exit = True
            await serving


@pytest.mark.parametrize(("pause", "status"), [(0.2, 504), (0.001, 200)])
def test_a_body_needs_a_least_rate(photo: bytes, monkeypatch: pytest.MonkeyPatch, pause: float, status: int) -> None:
    monkeypatch.setattr(handler, "BODY_GRACE_SECONDS", 0.5)
    monkeypatch.setattr(handler, "MIN_BODY_BYTES_PER_S", len(photo))

    async def slowly() -> AsyncIterator[bytes]:
        step = len(photo) // 20
        for start in range(0, len(photo), step):
            yield photo[start : start + step]
            await asyncio.sleep(pause)

    async def scenario() -> None:
        async with app(EchoEngine()) as (client, segmenter, _):
            answer = await client.post("/v1/segment?boxes=", content=slowly(), headers=JPEG)
            assert answer.status_code == status, answer.text
            if status == 504:
                assert (answer.json()["field"], answer.json()["limit"]) == ("body", len(photo))
            assert segmenter.admission.reserved_bytes == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "status", "is_read"),
    [
        ("/v1/segment?boxes=", 429, False),
        ("/v1/segment?boxes=1,1,9,9&variant=b0", 429, False),
        ("/v1/segment/png?boxes=&mode=binary&model=echo", 429, False),
        ("/v2/models/echo/infer", 429, False),
        ("/v1/segment?boxes=&variant=b1", 200, True),
        ("/v1/segment/png?boxes=&model=idle", 200, True),
        ("/v1/segment?boxes=&variant=b9", 422, True),
        ("/v2/models/idle/infer", 415, False),  # there is room, but a photo is no request of that protocol
    ],
)
def test_a_request_is_judged_by_its_own_model_before_it_is_read(
    photo: bytes, path: str, status: int, is_read: bool
) -> None:
    pulled = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal pulled
        pulled += 1
        yield photo

    async def scenario() -> None:
        busy, idle = EchoEngine(prior=Cost(0, 5000, 0)), EchoEngine()
        idle.info = replace(idle.info, ref=ModelRef("idle", "1", "b1"))
        busy.gate.clear()
        async with (
            app(busy) as (client, segmenter, _),
            Batcher(idle, segmenter.workers).running() as segmenter.batchers["idle"],
        ):
            first = post(client, photo)
            while not busy.running:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            answer = await client.post(path, content=body(), headers=JPEG)
            assert (answer.status_code, pulled > 0) == (status, is_read), answer.text
            busy.gate.set()
            await first

    asyncio.run(scenario())


def overlay_request() -> bytes:
    """For an answer of several megabytes."""
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(noise).save(file, "JPEG", quality=30)
    head = b"POST /v1/segment?mask_format=overlay&boxes=1,1,9,9 HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(file.getvalue()) + file.getvalue()


@pytest.mark.parametrize("is_read", [True, False])
def test_an_answer_is_counted_until_it_was_read_or_given_up(monkeypatch: pytest.MonkeyPatch, is_read: bool) -> None:
    if not is_read:
        monkeypatch.setattr(unread, "READ_ANSWER_SECONDS", 0.3)

    async def scenario() -> None:
        async with listening() as (port, segmenter):
            admission, loop = segmenter.admission, asyncio.get_running_loop()
            with socket.socket() as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                caller.setblocking(False)
                await loop.sock_connect(caller, ("127.0.0.1", port))
                await loop.sock_sendall(caller, overlay_request())
                await loop.sock_recv(caller, 1)
                while admission.active_requests:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                assert admission.reserved_bytes > MEBI
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as other:
                    assert (await other.get("/healthz")).status_code == 200
                while is_read and admission.reserved_bytes:
                    await loop.sock_recv(caller, 65536)
                while admission.reserved_bytes:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_query_has_few_parameters(photo: bytes) -> None:
    async def scenario() -> None:
        async with app(EchoEngine()) as (client, _, _):
            for path in ("/v1/segment", "/healthz", "/docs"):
                refused = await client.post(path + "?" + "&".join("a" * 150), content=photo, headers=JPEG)
                assert refused.status_code in (422, 405)
                refused = await client.post(path + "?" + "&" * 10_000, content=photo, headers=JPEG)
                assert refused.status_code == 422
                problem = refused.json()
                assert (problem["field"], problem["limit"], problem["value"]) == ("query", 150, 10_001)

    asyncio.run(scenario())
