"""``/v2``: the Open Inference Protocol, with the same checks, queue and engine as ``/v1/segment``.

A model of the protocol is a model of the repository. Its tensors are documented in ``docs/integrations.md``.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from hiseg.api.encoding import MaskFormat, writing_cost
from hiseg.api.exchange import Exchange, RequestContext
from hiseg.core.errors import HisegError, Reason, Unavailable, shorten
from hiseg.core.image import ImageSource
from hiseg.core.result import ModelRef, Result
from hiseg.core.stop import Stop
from hiseg.core.version import hiseg_version
from hiseg.transports.http.handler import handle
from hiseg.transports.http.kserve import management
from hiseg.transports.http.kserve.infer import OUTPUTS, InferRequest, inputs_of, output_tensors, read_infer_request
from hiseg.transports.http.kserve.tensors import HEADER_LENGTH, TensorOut, join_body
from hiseg.transports.http.problems import STATUS, error_headers

TRANSPORT = "kserve"
OCTETS = "application/octet-stream"


def error_response(error: HisegError) -> JSONResponse:
    """An error in the protocol's format, with our reason beside it."""
    content = {"error": error.detail, "reason": error.reason}
    return JSONResponse(content, STATUS[type(error)], error_headers(error))


def router(exchange: Exchange) -> APIRouter:
    """The protocol's routes."""
    routes = APIRouter(prefix="/v2", tags=["open inference protocol"])
    segmenter = exchange.segmenter

    def find(name: str, number: str = "") -> ModelRef | JSONResponse:
        """The model, or the response that it isn't served."""
        for info in segmenter.models:
            if info.ref.name == name and number in ("", info.ref.version):
                return info.ref
        try:
            segmenter.admission.check_open()
        except Unavailable as error:
            return error_response(error)
        known = ", ".join(f"{info.ref.name} ({info.ref.version})" for info in segmenter.models)
        named = f"model {shorten(name)!r}" + (f", version {shorten(number)!r}," if number else "")
        content = {"error": f"{named} is not served; there is {known}", "reason": Reason.NOT_FOUND}
        return JSONResponse(content, HTTPStatus.NOT_FOUND)

    @routes.get("")
    async def server() -> dict[str, Any]:
        """The server's name, version and protocol extensions."""
        return {"name": "hiseg", "version": hiseg_version(), "extensions": ["binary_tensor_data"]}

    @routes.get("/health/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        """The process takes requests."""
        try:
            segmenter.check_ready()
        except Unavailable as error:
            return JSONResponse(
                {"ready": False, "error": error.detail, "reason": error.reason}, 503, error_headers(error)
            )
        return JSONResponse({"ready": True})

    # Before the models, of which none is called "stats".
    management.add_routes(routes, exchange, TRANSPORT, find, error_response)

    @routes.get("/models/{name}")
    @routes.get("/models/{name}/versions/{number}")
    async def metadata(name: str, number: str = "") -> Response:
        """A model's tensors."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        fields = {"name": name, "versions": [model.version], "platform": "hiseg"}
        return JSONResponse(fields | {"inputs": inputs_of(model in segmenter.mask_models), "outputs": OUTPUTS})

    @routes.get("/models/{name}/ready")
    @routes.get("/models/{name}/versions/{number}/ready")
    async def model_ready(name: str, number: str = "") -> Response:
        """The model takes requests."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        try:
            segmenter.check_ready(name)
        except Unavailable as error:
            return error_response(error)
        return JSONResponse({"name": name, "ready": True})

    @routes.post("/models/{name}/infer")
    @routes.post("/models/{name}/versions/{number}/infer")
    async def infer(request: Request, name: str, number: str = "") -> Response:
        """Masks for the people in the boxes."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        has_masks, max_boxes = model in segmenter.mask_models, exchange.settings.max_boxes
        read = partial(read_infer_request, max_boxes=max_boxes, has_masks=has_masks)
        segment_with = partial(answer, model=model)
        return await handle(exchange, TRANSPORT, request, read, segment_with, error_response, name)

    return routes


async def answer(received: InferRequest, context: RequestContext, model: ModelRef) -> Response:
    """Segment the image with a model and write the response."""

    def write(_: ImageSource, result: Result, stop: Stop) -> dict[str, TensorOut]:
        return output_tensors(result, stop)

    result, tensors = await context.segment(
        received.image, received.rows, received.options, write, model=model, cost=writing_cost(MaskFormat.COCO_RLE)
    )
    fields: dict[str, Any] = {
        "model_name": result.model.name,
        "model_version": result.model.version,
        "parameters": {f"{stage}_ms": milliseconds for stage, milliseconds in result.timings_ms.items()}
        | ({"notes": "; ".join(result.notes)} if result.notes else {})
        | ({"foreground_source": result.foreground_source} if result.foreground_source else {})
        | ({"finder": result.finder.name} if result.finder else {}),
    }
    if received.id is not None:
        fields["id"] = received.id
    body, json_bytes = join_body(fields, [(tensors[name], binary) for name, binary in received.outputs.items()])
    if json_bytes is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type=OCTETS, headers={HEADER_LENGTH: str(json_bytes)})
