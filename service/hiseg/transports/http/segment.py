"""``POST /v1/segment`` and ``/v1/segment/png``: image and boxes in, masks out."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from hiseg.api.answer import SegmentOut, add_timings, server_timing, to_json, to_json_text
from hiseg.api.encoding import to_png, writing_cost
from hiseg.api.exchange import Exchange, RequestContext
from hiseg.core.errors import InvalidRequest, UnsupportedImage, shorten
from hiseg.core.image import ImageSource
from hiseg.core.job import Mode
from hiseg.core.result import Result
from hiseg.core.stop import Stop
from hiseg.transports.http.accept import preferred
from hiseg.transports.http.body import SegmentRequest, read_request
from hiseg.transports.http.content import JSON, OCTETS, RAW, body_type
from hiseg.transports.http.handler import handle
from hiseg.transports.http.notes import notes_headers
from hiseg.transports.http.problems import FrameworkProblem, problem
from hiseg.transports.http.texts import BOXES

TRANSPORT = "http"
PNG = "image/png"


def router(exchange: Exchange) -> APIRouter:
    """The routes ``/v1/segment`` and ``/v1/segment/png``."""
    routes = APIRouter(tags=["segment"])
    read = partial(read_request, max_boxes=exchange.settings.max_boxes)

    @routes.post("/v1/segment", response_model=SegmentOut)
    async def segment(request: Request) -> Response:
        """Masks for the people in the boxes.

        The body is JSON with the image in base64; or `multipart/form-data` with `image` and either `request` (JSON) or
        a field for each option; or the image itself, as `application/octet-stream` or under its own type, with the
        options in the query. Options stand in one place; beside the other forms the query may have `deadline_ms` alone.

        With the mask formats `label_map` and `overlay`, or if `Accept` prefers `image/png`, the answer is a PNG.
        `/v1/segment/png` has these by themselves, for clients that want to know the type of an answer beforehand.
        """
        as_png = wants_png(",".join(request.headers.getlist("accept")))
        model = expected_model(request, exchange)
        return await handle(exchange, TRANSPORT, request, read, partial(answer, as_png=as_png), problem, model)

    @routes.post("/v1/segment/png")
    async def segment_png(request: Request) -> Response:
        """One PNG of all masks.

        The same request as for `/v1/segment`; the answer is always a PNG: of `label_map` people's numbers, which is so
        without a mask format, too; of `overlay` the image with masks drawn; of `cutout` nothing but the people.
        """
        media_type = png_type(",".join(request.headers.getlist("accept")))
        answer_png = partial(answer, as_png=True, media_type=media_type)
        model = expected_model(request, exchange)
        return await handle(exchange, TRANSPORT, request, read, answer_png, problem, model)

    return routes


def expected_model(request: Request, exchange: Exchange) -> str:
    """Name of the model that answers, if the body is the image and all options stand in the query; else empty."""
    try:
        if body_type(request) not in RAW:
            return ""
    except UnsupportedImage:
        return ""
    query, segmenter, default = request.query_params, exchange.segmenter, exchange.settings.default_variant
    has_boxes = any(text.strip() for text in query.getlist(BOXES))
    try:
        asked = segmenter.choose_model(query.get("model"), query.get("variant"), default).ref.name
        return segmenter.choose_graph(asked, Mode(query.get("mode", Mode.INSTANCE)), has_boxes)[0].ref.name
    except (InvalidRequest, ValueError):
        return ""  # nobody answers that, which is said when all of the request was read


async def answer(received: SegmentRequest, context: RequestContext, as_png: bool, media_type: str = PNG) -> Response:
    """Segment the image and write the response.

    Args:
        received: the request.
        context: context of the request.
        as_png: a PNG is wanted even if the mask format is written as JSON.
        media_type: what a PNG is called.
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
        return Response(content, media_type=media_type, headers=headers | notes_headers(result.notes))
    return Response(add_timings(content, result.timings_ms), media_type=JSON, headers=headers)


def wants_png(accept: str) -> bool:
    """Whether ``Accept`` prefers PNG to JSON: the answer is the image that the mask format has, or else a label map.

    Raises:
        FrameworkProblem: it allows neither.
    """
    return _preferred(accept, (JSON, PNG), "and answers are one of them") == PNG


def png_type(accept: str) -> str:
    """The name under which ``Accept`` allows a PNG: its own, or that of any bytes.

    Raises:
        FrameworkProblem: it allows neither.
    """
    return _preferred(accept, (PNG, OCTETS), "and the answer is a PNG")


def _preferred(accept: str, offered: tuple[str, str], why: str) -> str:
    chosen = preferred(accept, offered)
    if chosen is None:
        text = f"Accept ({shorten(accept)!r}) allows neither {offered[0]} nor {offered[1]}, {why}"
        raise FrameworkProblem(HTTPStatus.NOT_ACCEPTABLE, text, field="accept", limit=list(offered), value=accept)
    return chosen
