"""``POST /v1/segment``: image and boxes in, masks out."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel

from hiseg.api.answer import SegmentOut, add_timings, server_timing, to_json, to_json_text
from hiseg.api.encoding import to_png, writing_cost
from hiseg.api.exchange import Exchange, RequestContext
from hiseg.core.errors import shorten
from hiseg.core.image import ImageSource
from hiseg.core.result import Result
from hiseg.core.stop import Stop
from hiseg.transports.http.accept import preferred
from hiseg.transports.http.body import (
    JsonOptions,
    JsonRequest,
    QueryOptions,
    SegmentRequest,
    read_request,
)
from hiseg.transports.http.content import JSON, MULTIPART, RAW
from hiseg.transports.http.handler import handle
from hiseg.transports.http.problems import MEDIA_TYPE, problem

TRANSPORT = "http"
BINARY_BODY = {"type": "string", "format": "binary"}
PNG = "image/png"


def documentation() -> dict[str, object]:
    """Parameters and body for OpenAPI, which FastAPI can't derive since the handler reads the body itself."""
    parameters = [
        {"name": name, "in": "query", "schema": schema, "description": schema.get("description", "")}
        for name, schema in inlined_schema(QueryOptions)["properties"].items()
    ]
    multipart = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": BINARY_BODY, "request": inlined_schema(JsonOptions)},
    }
    forms = {media_type: {"schema": BINARY_BODY} for media_type in sorted(RAW)} | {
        MULTIPART: {"schema": multipart},
        JSON: {"schema": inlined_schema(JsonRequest)},
    }
    return {"parameters": parameters, "requestBody": {"required": True, "content": forms}}


def inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of ``model`` with each reference to ``$defs`` replaced by the definition.

    FastAPI adds the definitions only of models that it derives itself to the components of its document, and pydantic
    has no way to write a schema without references.
    """
    root = model.model_json_schema()
    definitions = root.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        resolved = {key: resolve(value) for key, value in node.items() if key != "$ref"}
        return resolve(definitions[node["$ref"].rpartition("/")[2]]) | resolved if "$ref" in node else resolved

    return dict(resolve(root))


def router(exchange: Exchange) -> APIRouter:
    """The route ``/v1/segment``."""
    routes = APIRouter(tags=["segment"])
    read = partial(read_request, max_boxes=exchange.settings.max_boxes)

    @routes.post(
        "/v1/segment",
        response_model=SegmentOut,
        responses={
            200: {"content": {PNG: {"schema": BINARY_BODY}}, "description": "JSON, or a PNG if one was asked for"},
            **{
                code: {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}, "description": text}
                for code, text in PROBLEMS.items()
            },
        },
        openapi_extra=documentation(),
    )
    async def segment(request: Request) -> Response:
        """Masks for the people in the boxes.

        The body is the image itself with the options in the query, or `multipart/form-data` with `image` and
        `request` (JSON), or JSON with the image in base64.
        """
        as_png = wants_png(",".join(request.headers.getlist("accept")))
        return await handle(exchange, TRANSPORT, request, read, partial(answer, as_png=as_png), problem)

    return routes


async def answer(received: SegmentRequest, context: RequestContext, as_png: bool) -> Response:
    """Segment the image and write the response.

    Args:
        received: the request.
        context: context of the request.
        as_png: a PNG is wanted even if the mask format is written as JSON.
    """
    options = received.options
    mask_format = options.mask_format
    is_png = as_png or mask_format.is_image

    def write(image: ImageSource, result: Result, stop: Stop) -> bytes:
        if is_png:
            return to_png(image, result, mask_format, stop)
        return to_json_text(to_json(image, result, mask_format, options.tolerance_px, stop))

    cost = writing_cost(mask_format, as_png)
    result, content = await context.segment(received.image, received.boxes, options, write, cost=cost)
    headers = {"Server-Timing": server_timing(result.timings_ms)}
    if is_png:
        return Response(content, media_type=PNG, headers=headers)
    return Response(add_timings(content, result.timings_ms), media_type=JSON, headers=headers)


def wants_png(accept: str) -> bool:
    """Whether ``Accept`` prefers PNG to JSON: the answer is the image that the mask format has, or else a label map.

    Raises:
        HTTPException: it allows neither.
    """
    chosen = preferred(accept, (JSON, PNG))
    if chosen is None:
        text = f"Accept ({shorten(accept)!r}) allows neither {JSON} nor {PNG}, and answers are one of them"
        raise HTTPException(HTTPStatus.NOT_ACCEPTABLE, text)
    return chosen == PNG


PROBLEMS = {
    406: "Accept allows neither JSON nor PNG",
    413: "Too many bytes, pixels or boxes",
    415: "Unsupported image type or content type",
    422: "Bad box, bad option, bad JSON, or an image that cannot be decoded",
    429: "Refused because of overload; see Retry-After",
    503: "Starting or shutting down; see Retry-After",
    504: "Not done before the deadline",
}
