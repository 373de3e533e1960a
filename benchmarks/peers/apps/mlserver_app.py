"""MLServer: a custom runtime with a custom HTTP handler and adaptive batching. It has no limit of waiting requests."""

from __future__ import annotations

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import Request
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.context import model_context
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput

from benchmarks.peers.masks import PATH, Masks
from benchmarks.peers.ways import WINDOW_S, chosen, port

WAY = chosen()


class Runtime(MLModel):
    """The model; batches are merged and split by MLServer, along the rows of its tensors."""

    async def load(self) -> bool:
        self.masks = Masks(WAY.threads)
        self.threads = ThreadPoolExecutor(WAY.workers)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images, boxes = ([*given.data] for given in payload.inputs)
        pairs = [(base64.b64decode(image), query) for image, query in zip(images, boxes, strict=True)]
        found = await asyncio.get_running_loop().run_in_executor(self.threads, self.masks.many, pairs)
        rows = [json.dumps(each) for each in found]
        output = ResponseOutput(name="masks", datatype="BYTES", shape=[len(rows), 1], data=rows)
        return InferenceResponse(model_name=self.name, outputs=[output])

    @custom_handler(rest_path=PATH)
    async def segment(self, request: Request) -> Any:
        body, boxes = await request.body(), request.query_params["boxes"]
        if WAY.batch == 1:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, self.masks.one, body, boxes)
        columns = {"image": base64.b64encode(body).decode(), "boxes": boxes}
        inputs = [RequestInput(name=name, datatype="BYTES", shape=[1, 1], data=[row]) for name, row in columns.items()]
        with model_context(self.settings):
            answer = await self.predict(InferenceRequest(inputs=inputs))
        return json.loads(answer.outputs[0].data[0])


# Its routes' annotations are read where Request isn't known.
Runtime.segment.__annotations__["request"] = Request


async def main() -> None:
    """One process: its workers take requests of the V2 protocol alone."""
    ports = {"http_port": port(), "grpc_port": port() + 1, "metrics_port": port() + 2}
    settings = Settings(host="127.0.0.1", parallel_workers=0, debug=False, **ports)
    batches = {"max_batch_size": WAY.batch, "max_batch_time": WINDOW_S} if WAY.batch > 1 else {}
    await MLServer(settings).start([ModelSettings(name="hiseg", implementation=Runtime, **batches)])


if __name__ == "__main__":
    asyncio.run(main())
