"""Ray Serve: a deployment with dynamic batching, or two replicas; requests over the limit get 503."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.masks import INSIDE, PATH, Masks
from benchmarks.peers.ways import WINDOW_S, chosen, port

WAY = chosen()
ONGOING = max(2, 2 * WAY.batch)


@serve.deployment(
    num_replicas=WAY.workers,
    max_ongoing_requests=ONGOING,
    max_queued_requests=INSIDE - WAY.workers * ONGOING,
    ray_actor_options={"num_cpus": WAY.threads},
)
class Deployment:
    """One model for each replica."""

    def __init__(self) -> None:
        self.masks = Masks(WAY.threads)

    @serve.batch(max_batch_size=WAY.batch, batch_wait_timeout_s=WINDOW_S if WAY.batch > 1 else 0.0)
    async def segment(self, requests: list[tuple[bytes, str]]) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.masks.many, requests)

    async def __call__(self, request: Request) -> dict[str, Any]:
        return await self.segment((await request.body(), request.query_params["boxes"]))


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, logging_level="warning", _temp_dir="/tmp/hiseg-ray")
    serve.start(http_options={"host": "127.0.0.1", "port": port()})
    serve.run(Deployment.bind(), route_prefix=PATH)
    try:
        while True:
            time.sleep(1)
    finally:
        ray.shutdown()
