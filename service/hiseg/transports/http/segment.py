"""``POST /v1/segment``: image and boxes in, masks out."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from hiseg.api.answer import SegmentOut, server_timing, to_json
from hiseg.api.encoding import MaskFormat, to_png
from hiseg.core.result import Result
from hiseg.transports.http.body import JSON, MULTIPART, RAW, SegmentRequest, read_request
from hiseg.transports.http.desk import Desk, Manner, Visit
from hiseg.transports.http.problems import MEDIA_TYPE, bug, problem
from hiseg.transports.http.schemas import JsonOptions, JsonRequest, QueryOptions

MANNER = Manner("http", problem, bug)
BINARY_BODY = {"type": "string", "format": "binary"}
PNG = "image/png"


def documentation() -> dict[str, object]:
    """What OpenAPI can't read off the handler, since the handler reads the body itself."""
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
    """The JSON schema of ``model`` with each reference to ``$defs`` replaced by what it refers to."""
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


def router(desk: Desk) -> APIRouter:
    """The route to a desk."""
    routes = APIRouter(tags=["segment"])

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
        as_png = wants_png(request.headers.get("accept", ""))
        return await desk.attend(request, MANNER, read_request, partial(answer, as_png=as_png))

    async def answer(received: SegmentRequest, visit: Visit, as_png: bool) -> Response:
        options = received.options
        job = desk.job(visit, received.image, received.boxes, options)
        form = options.mask_format

        def write(result: Result) -> bytes | SegmentOut:
            if as_png or form.is_image:
                return to_png(job.image, result, form)
            return to_json(job.image, result, form, options.tolerance_px)

        content, timings = await desk.segment(job, visit, visit.place, write, quick=form is MaskFormat.COCO_RLE)
        headers = {"Server-Timing": server_timing(timings)}
        if isinstance(content, bytes):
            return Response(content, media_type=PNG, headers=headers)
        body = content.model_copy(update={"timings_ms": timings}).model_dump_json(exclude_none=True)
        return Response(body, media_type=JSON, headers=headers)

    return routes


def wants_png(accept: str) -> bool:
    """Whether ``Accept`` names PNG first: the answer is the picture that the mask format has, or else a label map."""
    return accept.partition(",")[0].partition(";")[0].strip() == PNG


PROBLEMS = {
    413: "Too many bytes, pixels or boxes",
    415: "Not an image type, or content type, that is taken",
    422: "Bad box, bad option, bad JSON, or an image that cannot be decoded",
    429: "Turned away by load; see Retry-After",
    503: "Starting or shutting down; see Retry-After",
    504: "Not done before the deadline",
}
