"""``POST /v1/segment``: image and boxes in, masks out."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from service.answer import MaskFormat, SegmentOut, to_json, to_picture
from service.boxes import check_count, to_boxes
from service.domain import Job
from service.errors import HisegError
from service.segmenter import Segmenter
from service.settings import Settings
from service.telemetry import Metrics
from service.transports.http.body import JSON, MULTIPART, RAW, SegmentRequest, read_request
from service.transports.http.problems import MEDIA_TYPE, bug, problem
from service.transports.http.schemas import JsonOptions, JsonRequest, QueryOptions

TRANSPORT = "http"
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


def router(segmenter: Segmenter, settings: Settings, metrics: Metrics) -> APIRouter:
    """The route around a segmenter."""
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
        arrived = time.perf_counter()
        outcome = "ok"
        try:
            received = await read_request(request)
            with segmenter.admission.enter(), metrics.inside.track_inprogress():
                return await answer(received, request.headers.get("accept", ""), arrived)
        except HisegError as error:
            outcome = type(error).__name__
            return problem(error)
        except Exception:
            outcome = "bug"
            return bug()
        finally:
            metrics.answered(TRANSPORT, outcome, time.perf_counter() - arrived)

    async def answer(received: SegmentRequest, accept: str, arrived: float) -> Response:
        options = received.options
        check_count(len(received.boxes), settings.max_boxes)
        model = segmenter.model_for(options.variant or settings.default_variant)
        started = time.perf_counter()
        image = await segmenter.decode(received.image)
        decode_ms = (time.perf_counter() - started) * 1000
        boxes = to_boxes(received.boxes, image.width, image.height, options.box_format, options.normalized)
        deadline = (options.deadline_ms or settings.default_deadline_ms) / 1000
        left = deadline - (time.perf_counter() - arrived)
        result = await segmenter.segment(Job(image, boxes, model, options.mode, options.threshold, left))
        form = options.mask_format
        if not form.is_picture and accept.partition(",")[0].partition(";")[0].strip() == PNG:
            form = MaskFormat.LABEL_MAP
        started = time.perf_counter()
        content: bytes | SegmentOut
        if form.is_picture:
            content = await segmenter.off_loop(lambda: to_picture(image, result, form))
        else:
            content = await segmenter.off_loop(lambda: to_json(image, result, form))
        encode_ms = (time.perf_counter() - started) * 1000
        timings = {"decode": decode_ms, **result.timings_ms, "encode": encode_ms}
        timings = {stage: round(milliseconds, 3) for stage, milliseconds in timings.items()}
        metrics.staged(timings)
        metrics.people.inc(len(result.instances))
        headers = {"Server-Timing": ", ".join(f"{stage};dur={ms}" for stage, ms in timings.items())}
        if isinstance(content, bytes):
            return Response(content, media_type=PNG, headers=headers)
        body = content.model_copy(update={"timings_ms": timings}).model_dump_json(exclude_none=True)
        return Response(body, media_type=JSON, headers=headers)

    return routes


PROBLEMS = {
    413: "Too many bytes, pixels or boxes",
    415: "Not an image type, or content type, that is taken",
    422: "Bad box, bad option, bad JSON, or an image that cannot be decoded",
    429: "Turned away by load; see Retry-After",
    503: "Starting or shutting down; see Retry-After",
    504: "Not done before the deadline",
}
