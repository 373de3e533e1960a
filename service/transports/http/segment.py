"""``POST /v1/segment``: image and boxes in, masks out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from service.answer import MaskFormat, SegmentOut, rounded, server_timing, to_json, to_picture
from service.batching.admission import Place
from service.domain import Job, Result
from service.errors import DeadlineExceeded, HisegError
from service.options import Options, to_job
from service.segmenter import Segmenter
from service.settings import Settings
from service.telemetry import BUG, GONE, Metrics
from service.tracing import HEADER, read_traceparent
from service.transports.http.body import (
    JSON,
    MULTIPART,
    RAW,
    SegmentRequest,
    announced_bytes,
    announced_seconds,
    counted,
    read_request,
)
from service.transports.http.presence import CallerGone, unless_gone
from service.transports.http.problems import MEDIA_TYPE, bug, problem
from service.transports.http.schemas import JsonOptions, JsonRequest, QueryOptions

TRANSPORT = "http"
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a caller who hung up; nobody receives it."""
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
        arrived = time.monotonic()
        failure: HisegError | str | None = None
        variant = ""
        try:
            size = announced_bytes(request, settings.max_body_bytes)
            client = request.client.host if request.client else ""
            with segmenter.admission.enter(client, size) as place:
                segmenter.check_room(place, arrived + announced_seconds(request))
                received = await in_time(request, place)
                model = segmenter.model_for(received.options.variant or settings.default_variant)
                variant = model.ref.variant
                options = received.options
                job = to_job(
                    segmenter,
                    received.image,
                    received.boxes,
                    options,
                    model=model.ref.name,
                    client=client,
                    deadline=arrived + (options.deadline_ms or settings.default_deadline_ms) / 1000,
                    max_boxes=settings.max_boxes,
                    traceparent=read_traceparent(request.headers.get(HEADER, "")),
                )
                as_png = wants_png(request.headers.get("accept", ""))
                return await unless_gone(request.receive, answer(job, place, options, as_png))
        except HisegError as error:
            failure = error
            return problem(error)
        except asyncio.CancelledError:
            failure = GONE
            raise
        except (CallerGone, ClientDisconnect):
            failure = GONE
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception:
            failure = BUG
            return bug()
        finally:
            metrics.answered(TRANSPORT, variant, time.monotonic() - arrived, failure)

    async def in_time(request: Request, place: Place) -> SegmentRequest:
        try:
            async with asyncio.timeout(settings.body_seconds):
                return await read_request(counted(request, place, settings.max_body_bytes))
        except TimeoutError as error:
            limit = settings.body_seconds
            raise DeadlineExceeded(f"the body took longer than {limit:g} s", field="body", limit=limit) from error

    async def answer(job: Job, place: Place, options: Options, as_png: bool) -> Response:
        form = options.mask_format

        def write(result: Result) -> bytes | SegmentOut:
            if as_png or form.is_picture:
                return to_picture(job.picture, result, form)
            return to_json(job.picture, result, form, options.tolerance_px)

        result, content = await segmenter.segment(job, place, write, quick=form is MaskFormat.COCO_RLE)
        timings = rounded(result.timings_ms)
        metrics.staged(timings, len(result.instances))
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
