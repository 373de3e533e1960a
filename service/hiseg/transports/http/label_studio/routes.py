"""``/predict``, ``/setup`` and ``/health`` as Label Studio asks its machine learning backends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from hiseg.api.options import Options, invalid, read_json
from hiseg.core.errors import HisegError
from hiseg.core.result import Result
from hiseg.transports.http.body import JSON
from hiseg.transports.http.desk import Desk, Manner, Visit
from hiseg.transports.http.label_studio.labelling import Labelling, read_labelling
from hiseg.transports.http.label_studio.media import Media
from hiseg.transports.http.label_studio.tasks import (
    MOST_COMMAS,
    Params,
    PredictIn,
    SetupIn,
    Task,
    prediction,
    rectangles,
    row,
)
from hiseg.transports.http.problems import bug, problem

MANNER = Manner("label_studio", problem, bug)
OPTIONS = Options.model_validate({"normalized": True})


def router(desk: Desk) -> APIRouter:
    """The backend's routes to a desk."""
    routes = APIRouter(tags=["label studio"])
    media = Media(desk.settings)

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Takes requests."""
        desk.segmenter.check_ready()
        return {"status": "UP"}

    @routes.post("/setup")
    async def setup(request: Request) -> Response:
        """Look whether masks fit into a project; nothing is kept of it."""
        return await desk.attend(request, MANNER, read_setup, accept)

    async def accept(labelling: Labelling, visit: Visit) -> Response:
        model = desk.segmenter.model_for(desk.settings.default_variant).ref
        visit.variant = model.variant
        return JSONResponse({"model_version": f"{model.name} {model.version}"})

    @routes.post("/predict")
    async def predict(request: Request) -> Response:
        """Brush masks for the rectangles of tasks."""
        return await desk.attend(request, MANNER, read_predict, answer)

    async def answer(asked: tuple[PredictIn, Labelling], visit: Visit) -> Response:
        request, labelling = asked
        results = []
        for index, task in enumerate(request.tasks):
            try:
                results.append(await predicted(task, request.params, labelling, visit))
            except HisegError as error:
                raise error.within(f"tasks[{index}]") from error
        return Response(json.dumps({"results": results}, separators=(",", ":")), media_type=JSON)

    async def predicted(task: Task, params: Params | None, labelling: Labelling, visit: Visit) -> dict[str, Any]:
        try:
            drawn = rectangles(task, params, labelling.image)
        except ValidationError as error:
            raise invalid(error) from error
        found = media.find(task.data.get(labelling.key), f"data.{labelling.key}")
        size = len(found) if isinstance(found, bytes) else found.stat().st_size
        # A place for each task: the request's own holds its body. The door may have closed since; who is in is served.
        with desk.segmenter.admission.reserve(visit.client, size) as place:
            data = found if isinstance(found, bytes) else await asyncio.to_thread(found.read_bytes)
            boxes = [row(region, rectangle) for region, rectangle in drawn]
            job = desk.job(visit, data, boxes, OPTIONS)

            def write(result: Result) -> dict[str, Any]:
                return prediction(result, [rectangle for _, rectangle in drawn], labelling)

            written, _ = await desk.segment(job, visit, place, write)
            return written

    return routes


async def read_setup(request: Request) -> Labelling:
    """The project's labelling configuration.

    Raises:
        InvalidRequest: malformed, or masks don't fit into it.
    """
    return read_labelling(read_json(SetupIn, await request.body()).schema_, "schema")


async def read_predict(request: Request) -> tuple[PredictIn, Labelling]:
    """The tasks, and where their masks go.

    Raises:
        InvalidRequest: malformed, or masks don't fit into the project.
    """
    asked = read_json(PredictIn, await request.body(), MOST_COMMAS)
    return asked, read_labelling(asked.label_config, "label_config")
