"""What Triton's clients ask a server besides masks: configuration, index, statistics, and settings that we haven't.

Each call of theirs gets what it wants or a sentence that says why not; a path that isn't there would be an error in the
client itself.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from hiseg.api.exchange import Exchange, RequestContext
from hiseg.api.json_reader import JsonLimits, read_json
from hiseg.core.errors import HisegError, InvalidRequest, Reason, Unavailable, shorten
from hiseg.core.result import ModelRef
from hiseg.transports.http.content import json_body
from hiseg.transports.http.handler import handle
from hiseg.transports.http.kserve.infer import BOXES, OUTPUTS, inputs_of
from hiseg.transports.http.kserve.tensors import NO_SHARED_MEMORY

LIMITS = JsonLimits(max_bytes=4096, max_texts=64, max_values=64)
"""Of a request for the index."""
CONFIG_TYPES = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32", "INT64": "TYPE_INT64"}
"""Types of tensors as configurations of models call them."""
NO_CONTROL = "models are not loaded or unloaded by requests: a new version in the model repository is found by itself"
NO_SETTINGS = "tracing and logging are set in the service's own settings, see docs/settings.md"
Find = Callable[[str, str], ModelRef | JSONResponse]
"""Finds a served model by name and version, or gives the response that there is none."""


class IndexIn(BaseModel):
    """A request for the index of the models."""

    model_config = ConfigDict(extra="forbid")

    ready: bool = False


def add_routes(
    routes: APIRouter, exchange: Exchange, transport: str, find: Find, error_response: Callable[[HisegError], Response]
) -> None:
    """Add the routes of this module to those of the protocol.

    Args:
        routes: the protocol's routes.
        exchange: opens requests that have a body.
        transport: name of the protocol in the metrics.
        find: finds a model.
        error_response: writes an error in the protocol's format.
    """
    segmenter = exchange.segmenter

    def state(model: ModelRef) -> dict[str, str]:
        try:
            segmenter.check_ready(model.name)
        except Unavailable as error:
            return {"name": model.name, "version": model.version, "state": "UNAVAILABLE", "reason": error.detail}
        return {"name": model.name, "version": model.version, "state": "READY"}

    async def answer_index(asked: IndexIn, _: RequestContext) -> Response:
        states = [state(info.ref) for info in segmenter.models]
        return JSONResponse([each for each in states if each["state"] == "READY" or not asked.ready])

    def statistics(name: str, number: str) -> Response:
        models = [info.ref for info in segmenter.models]
        if name:
            found = find(name, number)
            if isinstance(found, Response):
                return found
            models = [found]
        return JSONResponse({"model_stats": [model_statistics(exchange, model) for model in models]})

    @routes.get("/models")
    async def models() -> dict[str, list[str]]:
        """Names of the models."""
        segmenter.admission.check_open()  # which there will be isn't known before they are loaded
        return {"models": [info.ref.name for info in segmenter.models]}

    @routes.post("/repository/index")
    async def index(request: Request) -> Response:
        """The models, and whether they take requests."""
        return await handle(exchange, transport, request, read_index, answer_index, error_response)

    @routes.get("/models/stats")
    async def all_statistics() -> Response:
        """Statistics of all models."""
        segmenter.admission.check_open()
        return statistics("", "")

    @routes.get("/models/{name}/stats")
    @routes.get("/models/{name}/versions/{number}/stats")
    async def statistics_of_one(name: str, number: str = "") -> Response:
        """Statistics of a model."""
        return statistics(name, number)

    @routes.get("/models/{name}/config")
    @routes.get("/models/{name}/versions/{number}/config")
    async def config(name: str, number: str = "") -> Response:
        """A model's tensors, in the form of Triton's configurations."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        return JSONResponse(model_config(model, inputs_of(model in segmenter.mask_models)))

    @routes.get("/systemsharedmemory/status", include_in_schema=False)
    @routes.get("/cudasharedmemory/status", include_in_schema=False)
    async def no_regions() -> list[str]:
        """No regions of shared memory."""
        return []

    @routes.post("/systemsharedmemory/unregister", include_in_schema=False)
    @routes.post("/cudasharedmemory/unregister", include_in_schema=False)
    async def nothing_to_unregister() -> Response:
        """Unregister all regions, of which there are none."""
        return Response()

    @routes.get("/{kind}sharedmemory/region/{name}/status", include_in_schema=False)
    @routes.post("/{kind}sharedmemory/region/{name}/unregister", include_in_schema=False)
    async def no_region(kind: str, name: str) -> Response:
        """There is no region of any name."""
        content = {"error": f"there is no region {shorten(name)!r}: {NO_SHARED_MEMORY}", "reason": Reason.NOT_FOUND}
        return JSONResponse(content, HTTPStatus.NOT_FOUND)

    def refuse(path: str, *methods: str, why: str) -> None:
        async def refused() -> Response:
            return error_response(InvalidRequest(why))

        routes.add_api_route(path, refused, methods=list(methods), include_in_schema=False)

    refuse("/{kind}sharedmemory/region/{name}/register", "POST", why=NO_SHARED_MEMORY)
    for action in ("load", "unload"):
        refuse(f"/repository/models/{{name}}/{action}", "POST", why=NO_CONTROL)
    for path in ("/trace/setting", "/models/{name}/trace/setting", "/logging"):
        refuse(path, "GET", "POST", why=NO_SETTINGS)


async def read_index(request: Request) -> IndexIn:
    """Read a request for the index; clients send an empty body for all models.

    Raises:
        InvalidRequest: it is malformed.
        TooLarge: it is longer than any.
    """
    body = await json_body(request)
    return read_json(IndexIn, body, LIMITS) if body.strip() else IndexIn()


def model_config(model: ModelRef, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """A model and its inputs as Triton's ``config.pbtxt`` would describe it, in JSON."""

    def tensors(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"name": each["name"], "data_type": CONFIG_TYPES[each["datatype"]], "dims": each["shape"]}
            | ({"optional": True} if each["name"] == BOXES and described is inputs else {})
            for each in described
        ]

    config: dict[str, Any] = {"name": model.name, "platform": "hiseg", "backend": "hiseg", "max_batch_size": 0}
    if model.version.isdecimal():
        config["version_policy"] = {"specific": {"versions": [int(model.version)]}}
    return config | {"input": tensors(inputs), "output": tensors(OUTPUTS)}


def model_statistics(exchange: Exchange, model: ModelRef) -> dict[str, Any]:
    """What has been counted of a model since the service started: images and batches that ran, batches that failed."""

    def value(name: str) -> float:
        return exchange.metrics.registry.get_sample_value(name, {"model": model.name}) or 0.0

    batches, nanoseconds = int(value("hiseg_batch_seconds_count")), int(value("hiseg_batch_seconds_sum") * 1e9)
    return {
        "name": model.name,
        "version": model.version,
        "inference_count": int(value("hiseg_batch_images_sum")),
        "execution_count": batches,
        "inference_stats": {
            "compute_infer": {"count": batches, "ns": nanoseconds},
            "fail": {"count": int(value("hiseg_batch_failures_total")), "ns": 0},
        },
        "batch_stats": [],
    }
