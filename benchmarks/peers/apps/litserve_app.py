"""LitServe: a LitAPI whose batches are decoded, run and drawn in a worker; requests that wait too long get 504."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import litserve as ls
from fastapi import Depends, Request

from benchmarks.peers.masks import DEADLINE_S, PATH, Masks
from benchmarks.peers.ways import WINDOW_S, chosen, port

Pair = tuple[bytes, str]


async def read(request: Request) -> Pair:
    """The body as it is: LitServe itself reads JSON and forms."""
    return await request.body(), request.query_params["boxes"]


class Api(ls.LitAPI):
    """One model for each worker."""

    def setup(self, device: str) -> None:
        self.masks = Masks(chosen().threads)

    def decode_request(self, request: Annotated[Any, Depends(read)]) -> Pair:
        return request

    def predict(self, x: Any) -> Any:
        return self.masks.many(x) if chosen().batch > 1 else self.masks.one(*x)

    def batch(self, inputs: Sequence[Pair]) -> Sequence[Pair]:
        return inputs

    def unbatch(self, output: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


# Annotations that are text can't be read where it looks for them.
Api.decode_request.__annotations__["request"] = Annotated[Any, Depends(read)]
Api.encode_response.__annotations__["return"] = dict


if __name__ == "__main__":
    way = chosen()
    api = Api(max_batch_size=way.batch, batch_timeout=WINDOW_S if way.batch > 1 else 0.0, api_path=PATH)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=way.workers, timeout=DEADLINE_S)
    server.run(host="127.0.0.1", port=port(), num_api_servers=1, generate_client_file=False, log_level="warning")
