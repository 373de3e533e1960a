"""FastAPI alone: an ordinary function, which runs in its thread pool; uvicorn refuses requests over its limit."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI

from benchmarks.peers.masks import INSIDE, PATH, Masks
from benchmarks.peers.ways import chosen, port

app = FastAPI()


@cache
def masks() -> Masks:
    """One for each process."""
    return Masks(chosen().threads)


@app.post(PATH)
def segment(boxes: str, image: Annotated[bytes, Body(media_type="image/jpeg")]) -> dict[str, Any]:
    """The whole way, in a thread."""
    return masks().one(image, boxes)


if __name__ == "__main__":
    workers = chosen().workers
    uvicorn.run(
        "benchmarks.peers.apps.fastapi_app:app",
        port=port(),
        workers=workers,
        limit_concurrency=INSIDE // workers,
        log_level="warning",
    )
