"""``/predict``, ``/setup`` and ``/health``, the routes that Label Studio expects of a machine learning backend."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from hiseg.api.exchange import Exchange, RequestContext
from hiseg.api.options import Options, read_json, to_hiseg_error
from hiseg.core.errors import HisegError
from hiseg.core.image import ImageSource
from hiseg.core.result import Result
from hiseg.core.stop import Stop
from hiseg.transports.http.body import JSON
from hiseg.transports.http.handler import handle
from hiseg.transports.http.label_studio.labelling import Labelling, read_labelling
from hiseg.transports.http.label_studio.media import Media
from hiseg.transports.http.label_studio.tasks import (
    MAX_COMMAS,
    Params,
    PredictIn,
    SetupIn,
    Task,
    box_of,
    rectangles_of,
    to_prediction,
)
from hiseg.transports.http.problems import problem

TRANSPORT = "label_studio"
OPTIONS = Options.model_validate({"normalized": True})


def router(exchange: Exchange) -> APIRouter:
    """The backend's routes."""
    routes = APIRouter(tags=["label studio"])
    media = Media(exchange.settings)

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Takes requests."""
        exchange.segmenter.check_ready()
        return {"status": "UP"}

    @routes.post("/setup")
    async def setup(request: Request) -> Response:
        """Look whether masks fit into a project; nothing is kept of it."""
        return await handle(exchange, TRANSPORT, request, read_setup, answer_setup, problem)

    @routes.post("/predict")
    async def predict(request: Request) -> Response:
        """Brush masks for the rectangles of tasks."""
        return await handle(exchange, TRANSPORT, request, read_predict, partial(answer_predict, media=media), problem)

    return routes


async def read_setup(request: Request) -> Labelling:
    """Read the labelling configuration of a project.

    Raises:
        InvalidRequest: it is malformed, or masks don't fit into it.
    """
    return read_labelling(read_json(SetupIn, await request.body()).schema_, "schema")


async def answer_setup(_: Labelling, context: RequestContext) -> Response:
    """Write which model will answer the project's requests."""
    model = context.choose_model(OPTIONS)
    return JSONResponse({"model_version": f"{model.name} {model.version}"})


async def read_predict(request: Request) -> tuple[PredictIn, Labelling]:
    """Read the tasks, and the labelling configuration of their project.

    Raises:
        InvalidRequest: they are malformed, or masks don't fit into the project.
    """
    body = read_json(PredictIn, await request.body(), MAX_COMMAS)
    return body, read_labelling(body.label_config, "label_config")


async def answer_predict(received: tuple[PredictIn, Labelling], context: RequestContext, media: Media) -> Response:
    """Segment the tasks one after the other and write their predictions.

    Raises:
        HisegError: a task can't be segmented; the error's field begins with ``tasks[index]``.
    """
    body, labelling = received
    predictions = []
    for index, task in enumerate(body.tasks):
        try:
            predictions.append(await segment_task(task, body.params, labelling, context, media))
        except HisegError as error:
            raise error.with_prefix(f"tasks[{index}]") from error
    return Response(json.dumps({"results": predictions}, separators=(",", ":")), media_type=JSON)


async def segment_task(
    task: Task, params: Params | None, labelling: Labelling, context: RequestContext, media: Media
) -> dict[str, Any]:
    """Segment the image of a task, and return its prediction in Label Studio's format.

    Raises:
        HisegError: the task's image or rectangles are invalid, or what :meth:`RequestContext.segment` raises.
    """
    try:
        rectangles = rectangles_of(task, params, labelling.image)
    except ValidationError as error:
        raise to_hiseg_error(error) from error
    encoded = media.find(task.data.get(labelling.key), f"data.{labelling.key}")
    size = len(encoded) if isinstance(encoded, bytes) else encoded.stat().st_size

    def write(_: ImageSource, result: Result, stop: Stop) -> dict[str, Any]:
        return to_prediction(result, [rectangle for _, rectangle in rectangles], labelling, stop)

    with context.reserve_image(size) as reservation:
        data = encoded if isinstance(encoded, bytes) else await asyncio.to_thread(encoded.read_bytes)
        boxes = [box_of(region, rectangle) for region, rectangle in rectangles]
        _, prediction = await context.segment(data, boxes, OPTIONS, write, reservation=reservation)
    return prediction
