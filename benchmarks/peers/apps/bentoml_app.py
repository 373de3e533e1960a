"""BentoML: a service with adaptive batching, or several workers, behind one that has hiseg's HTTP interface."""

from __future__ import annotations

from typing import Any

import bentoml
from fastapi import FastAPI, Request

from benchmarks.peers.masks import DEADLINE_S, INSIDE, PATH, Masks
from benchmarks.peers.ways import chosen

WAY = chosen()
TRAFFIC = {"timeout": 30, "max_concurrency": INSIDE}
LOGGING = {"access": {"enabled": False}}
web = FastAPI()


@bentoml.service(workers=WAY.workers, threads=1, traffic=TRAFFIC, logging=LOGGING)
class Model:
    """The model."""

    def __init__(self) -> None:
        self.masks = Masks(WAY.threads)

    if WAY.batch > 1:

        @bentoml.api(batchable=True, max_batch_size=WAY.batch, max_latency_ms=int(DEADLINE_S * 1000))
        def segment(self, requests: list[Any]) -> list[Any]:
            return self.masks.many(requests)

    else:

        @bentoml.api
        def segment(self, requests: list[Any]) -> list[Any]:
            return self.masks.many(requests)


@bentoml.service(workers=1, traffic=TRAFFIC, logging=LOGGING)
@bentoml.asgi_app(web)
class Front:
    """HTTP."""

    model = bentoml.depends(Model)

    @web.post(PATH)
    async def segment(self, request: Request) -> Any:
        found = await self.model.to_async.segment([(await request.body(), request.query_params["boxes"])])
        return found[0]


# Its routes' annotations are read here, where Request is known.
Front.inner.segment.__annotations__["request"] = Request
