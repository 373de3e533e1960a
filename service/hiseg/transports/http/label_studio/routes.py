"""``/predict``, ``/setup`` and ``/health``, the routes that Label Studio expects of a machine learning backend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from hiseg.api.exchange import Exchange, RequestContext
from hiseg.api.json_reader import LongText, read_json
from hiseg.api.options import Options
from hiseg.api.validation import to_hiseg_error
from hiseg.batching.admission import Reservation
from hiseg.core.errors import HisegError, InvalidRequest, Reason, TooLarge, UnsupportedImage, shorten
from hiseg.core.image import ImageSource
from hiseg.core.result import Result
from hiseg.core.stop import Stop
from hiseg.masks.memory import WritingCost
from hiseg.settings import Settings
from hiseg.transports.http.body import JSON
from hiseg.transports.http.handler import handle
from hiseg.transports.http.label_studio.labelling import MAX_LENGTH, Labelling, read_labelling
from hiseg.transports.http.label_studio.media import Media
from hiseg.transports.http.label_studio.tasks import (
    LIMITS,
    Params,
    PredictIn,
    SetupIn,
    Task,
    box_of,
    rectangles_of,
    write_prediction,
)
from hiseg.transports.http.problems import problem

TRANSPORT = "label_studio"
MAX_INLINE_BYTES = 16 * 1024
"""A body of at most so many bytes is read on the event loop: a thread and back takes longer."""
BRUSH_COST = WritingCost(largest=4, sides=1000)
"""What brush masks take of memory: their runs are written bit by bit."""
OPTIONS = Options.model_validate({"normalized": True})

T = TypeVar("T")


def router(exchange: Exchange) -> APIRouter:
    """The backend's routes."""
    routes = APIRouter(tags=["label studio"])
    media = Media(exchange.settings)
    answer = partial(answer_predict, media=media, settings=exchange.settings)

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
        return await handle(exchange, TRANSPORT, request, read_predict, answer, problem)

    return routes


async def read_setup(request: Request) -> Labelling:
    """Read the labelling configuration of a project.

    Raises:
        InvalidRequest: it is malformed, or masks don't fit into it.
    """
    body = await request.body()
    return await off_the_loop(len(body), lambda: to_labelling(read_json(SetupIn, body, LIMITS).schema_, "schema"))


async def answer_setup(_: Labelling, context: RequestContext) -> Response:
    """Write which model will answer the project's requests."""
    model = context.choose_model(OPTIONS)
    return JSONResponse({"model_version": f"{model.name} {model.version}"})


async def read_predict(request: Request) -> tuple[PredictIn, Labelling]:
    """Read the tasks, and the labelling configuration of their project.

    Raises:
        InvalidRequest: they are malformed, or masks don't fit into the project.
        TooLarge: there is more of them than is read.
    """
    body = await request.body()

    def read() -> tuple[PredictIn, Labelling]:
        parsed = read_json(PredictIn, body, LIMITS)
        return parsed, to_labelling(parsed.label_config, "label_config")

    return await off_the_loop(len(body), read)


async def off_the_loop(nbytes: int, read: Callable[[], T]) -> T:
    """Call ``read`` in a thread, or, if it has only a few bytes to read, at once."""
    return read() if nbytes <= MAX_INLINE_BYTES else await asyncio.to_thread(read)


def to_labelling(configuration: LongText, field: str) -> Labelling:
    """Read a labelling configuration; see :func:`read_labelling`.

    Raises:
        InvalidRequest: it is malformed, or masks don't fit into the project.
    """
    try:
        text = configuration.text(MAX_LENGTH)
    except ValueError as error:
        raise InvalidRequest(
            f"{field} is not a text, or has more than {MAX_LENGTH} characters",
            field=field,
            limit=MAX_LENGTH,
            value=configuration.head(),
        ) from error
    return read_labelling(text, field)


async def answer_predict(
    received: tuple[PredictIn, Labelling], context: RequestContext, media: Media, settings: Settings
) -> Response:
    """Segment the tasks one after the other and write their predictions.

    Raises:
        TooLarge: the answer would have too many bytes.
        HisegError: a task can't be segmented; the error's field begins with ``tasks[index]``.
    """
    body, labelling = received
    predictions: list[bytes] = []
    reservation, limit = context.reservation, settings.max_answer_bytes
    asked = reservation.bytes
    for index, task in enumerate(body.tasks):
        try:
            predictions.append(await segment_task(task, body.params, labelling, context, media, settings))
            if (size := sum(map(len, predictions))) > limit:
                text = f"the answer has {size} bytes; at most {limit} are written"
                raise TooLarge(text, reason=Reason.ANSWER_TOO_LARGE, limit=limit, value=size)
            reservation.reserve(asked + 2 * size)  # the predictions, and what they are joined to
        except HisegError as error:
            raise error.with_prefix(f"tasks[{index}]") from error
    return Response(b'{"results":[%b]}' % b",".join(predictions), media_type=JSON)


async def segment_task(
    task: Task, params: Params | None, labelling: Labelling, context: RequestContext, media: Media, settings: Settings
) -> bytes:
    """Segment the image of a task, and return its prediction in Label Studio's format, as JSON.

    Raises:
        HisegError: the task's image or rectangles are invalid, or what :meth:`RequestContext.segment` raises.
    """
    try:
        rectangles = rectangles_of(task, params, labelling.image, settings.max_boxes)
    except ValidationError as error:
        raise to_hiseg_error(error) from error
    boxes = [box_of(region, rectangle) for region, rectangle in rectangles]

    def write(_: ImageSource, result: Result, stop: Stop) -> bytes:
        return write_prediction(result, [rectangle for _, rectangle in rectangles], labelling, stop)

    async def segment(image: bytes, reservation: Reservation) -> bytes:
        return (await context.segment(image, boxes, OPTIONS, write, cost=BRUSH_COST, reservation=reservation))[1]

    field = shorten(f"data.{labelling.key}")
    found = await asyncio.to_thread(media.find, task.data.get(labelling.key), field)
    if isinstance(found, bytes):
        with context.reserve_image(len(found)) as reservation:
            return await segment(found, reservation)
    file, size = await asyncio.to_thread(media.open, found, field)
    with file, context.reserve_image(size) as reservation:
        image = await asyncio.to_thread(media.read, file, size, field)
        try:
            return await segment(image, reservation)
        except UnsupportedImage as error:
            # Without the value: what files of other kinds begin with is nobody's business.
            raise UnsupportedImage(error.detail, field=error.field, limit=error.limit) from error
