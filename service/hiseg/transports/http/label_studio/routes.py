"""``/predict``, ``/setup`` and ``/health``, the routes that Label Studio expects of a machine learning backend."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from hiseg.api.exchange import Exchange, RequestContext
from hiseg.api.json_reader import LongText, read_json
from hiseg.api.options import Options
from hiseg.batching.admission import Reservation
from hiseg.core.box import Box
from hiseg.core.errors import (
    MAX_QUOTED_ITEMS,
    HisegError,
    InvalidRequest,
    Reason,
    TooLarge,
    UndecodableImage,
    UnsupportedImage,
    shorten,
)
from hiseg.core.image import ImageSource
from hiseg.core.result import ModelRef, Result
from hiseg.core.stop import Stop
from hiseg.masks.memory import WritingCost
from hiseg.transports.http.content import JSON, json_body
from hiseg.transports.http.handler import handle
from hiseg.transports.http.label_studio.labelling import MAX_LENGTH, Labelling, read_labelling
from hiseg.transports.http.label_studio.media import Media
from hiseg.transports.http.label_studio.predictions import Prediction, failed
from hiseg.transports.http.label_studio.rectangles import Drawn, ImageRectangles
from hiseg.transports.http.label_studio.tasks import (
    LIMITS,
    EventIn,
    Params,
    PredictIn,
    SetupIn,
    Task,
    rectangles_of,
)
from hiseg.transports.http.problems import problem
from hiseg.transports.http.texts import read_deadline

TRANSPORT = "label_studio"
MAX_INLINE_BYTES = 16 * 1024
"""A body of at most so many bytes is read on the event loop: a thread and back takes longer."""
BRUSH_COST = WritingCost(largest=4, sides=1000)
"""What brush masks take of memory: their runs are written bit by bit."""
HOME = "this route takes no other options"
OPTIONS = Options()
START_TRAINING = "START_TRAINING"
NO_TRAINING = "models aren't trained by way of Label Studio; see docs/training.md"
OF_THE_CALLER = (InvalidRequest, TooLarge, UnsupportedImage, UndecodableImage)
"""Errors of one task, image or rectangle, which don't concern the others."""
log = logging.getLogger("hiseg.label_studio")

T = TypeVar("T")


def router(exchange: Exchange) -> APIRouter:
    """The backend's routes."""
    routes = APIRouter(tags=["label studio"])
    media = Media(exchange.settings)
    answer = partial(answer_predict, exchange=exchange, media=media)

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Takes requests."""
        exchange.segmenter.check_ready()
        return {"status": "UP"}

    @routes.post("/setup")
    async def setup(request: Request) -> Response:
        """Look whether masks fit into a project; nothing is kept of it."""
        return await handle(exchange, TRANSPORT, request, read_setup, answer_setup, problem)

    @routes.api_route("/versions", methods=["GET", "POST"])
    async def versions() -> dict[str, list[str]]:
        """The models that can be asked for, as Label Studio's list shows them."""
        exchange.segmenter.check_ready()
        return {"versions": [f"{model.name} {model.version}" for model in exchange.segmenter.mask_models]}

    @routes.post("/webhook")
    async def webhook(request: Request) -> Response:
        """Take what Label Studio tells of each annotation; nothing is done with it, and training is refused."""
        return await handle(exchange, TRANSPORT, request, read_event, answer_event, problem)

    @routes.post("/train")
    async def train() -> Response:
        """Refuse to train."""
        raise InvalidRequest(NO_TRAINING, field="train")

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
    read_deadline(request, HOME)
    body = await json_body(request)
    return await off_the_loop(len(body), lambda: to_labelling(read_json(SetupIn, body, LIMITS).schema_, "schema"))


async def answer_setup(_: Labelling, context: RequestContext) -> Response:
    """Write which model will answer the project's requests."""
    model = context.choose_model(OPTIONS)
    return JSONResponse({"model_version": f"{model.name} {model.version}"})


async def read_event(request: Request) -> str:
    """Read the name of an event.

    Raises:
        InvalidRequest: it is malformed, or asks for training.
    """
    read_deadline(request, HOME)
    body = await json_body(request)
    event = await off_the_loop(len(body), lambda: read_json(EventIn, body, LIMITS).action)
    if event == START_TRAINING:
        raise InvalidRequest(NO_TRAINING, field="action", value=event)
    return event


async def answer_event(event: str, _: RequestContext) -> Response:
    """Say that an event is of no consequence, as Label Studio's own backends say it."""
    return JSONResponse({"status": "Unknown event"})


async def read_predict(request: Request) -> tuple[PredictIn, Labelling]:
    """Read the tasks, and the labelling configuration of their project.

    Raises:
        InvalidRequest: they are malformed, or masks don't fit into the project.
        TooLarge: there is more of them than is read.
    """
    read_deadline(request, HOME)
    body = await json_body(request)

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
    received: tuple[PredictIn, Labelling], context: RequestContext, exchange: Exchange, media: Media
) -> Response:
    """Segment the tasks one after the other and write their predictions.

    A task that is wrong has an ``error`` in its place, and no regions; if all are, the first one's error is raised.

    Raises:
        TooLarge: the answer would have too many bytes.
        HisegError: no task can be segmented; the error's field begins with ``tasks[index]``.
    """
    body, labelling = received
    predictions: list[bytes] = []
    failures: list[HisegError] = []
    reservation, limit = context.reservation, exchange.settings.max_answer_bytes
    asked, size = reservation.bytes, 0
    model = wanted_model(body.model_version, exchange) or context.choose_model(OPTIONS)
    for index, task in enumerate(body.tasks):
        try:
            if not isinstance(task, Task):
                raise task
            predictions.append(await predict(task, body.params, labelling, context, exchange, media, model))
        except OF_THE_CALLER as error:
            failures.append(error.with_prefix(f"tasks[{index}]"))
            predictions.append(failed(failures[-1]))
        except HisegError as error:
            raise error.with_prefix(f"tasks[{index}]") from error
        if (size := size + len(predictions[-1])) > limit:
            text = f"the answer has {size} bytes; at most {limit} are written"
            raise TooLarge(text, reason=Reason.ANSWER_TOO_LARGE, limit=limit, value=size)
        reservation.reserve(asked + 2 * size)  # the predictions, and what they are joined to
    if failures and len(failures) == len(predictions):
        raise failures[0]
    if failures:
        log.warning("%d of %d tasks have no masks; %s", len(failures), len(predictions), failures[0].detail)
    version = json.dumps(f"{model.name} {model.version}").encode()
    return Response(b'{"results":[%b],"model_version":%b}' % (b",".join(predictions), version), media_type=JSON)


def wanted_model(version: object, exchange: Exchange) -> ModelRef | None:
    """The served model that a request names as ``/setup`` and ``/versions`` do; None: it names none that is served.

    Label Studio sends what it stored last, which may be long gone, so that isn't an error.
    """
    models = exchange.segmenter.mask_models
    return next((model for model in models if f"{model.name} {model.version}" == version), None)


async def predict(
    task: Task,
    params: Params | None,
    labelling: Labelling,
    context: RequestContext,
    exchange: Exchange,
    media: Media,
    model: ModelRef,
) -> bytes:
    """Segment the images of a task, and return its prediction in Label Studio's format, as JSON.

    What is wrong with some of its images or rectangles stands in the prediction's notes.

    Raises:
        HisegError: all of its images or rectangles are invalid, or what :meth:`RequestContext.segment` raises.
    """
    labelling = labelling.of_task(task.data)
    images, notes = rectangles_of(task, params, labelling, exchange.settings.max_boxes)
    prediction = Prediction(notes)
    failures: list[HisegError] = []
    for each in images:
        try:
            await segment_image(each, task, labelling, context, media, model, prediction)
        except OF_THE_CALLER as error:
            if len(images) == 1:
                raise
            failures.append(error)
            prediction.notes.append(error.detail)
    if failures and len(failures) == len(images):
        raise failures[0]
    return prediction.to_json()


async def segment_image(
    rectangles: ImageRectangles,
    task: Task,
    labelling: Labelling,
    context: RequestContext,
    media: Media,
    model: ModelRef,
    prediction: Prediction,
) -> None:
    """Segment an image of a task, and add its masks to the task's prediction.

    Raises:
        HisegError: the image or all of its rectangles are invalid, or what :meth:`RequestContext.segment` raises.
    """
    tag, item = labelling.images[rectangles.image], rectangles.item
    drawn, wrong = rectangles.read()
    if wrong and not drawn:
        raise wrong[0]
    kept: list[Drawn] = []

    def boxes(width: int, height: int) -> tuple[Box, ...]:
        found = []
        for each in drawn:
            try:
                found.append(each.box_in(width, height))
                kept.append(each)
            except InvalidRequest as error:
                wrong.append(error)
        if wrong and not found:
            raise wrong[0]
        return tuple(found)

    def write(_: ImageSource, result: Result, stop: Stop) -> None:
        prediction.add(result, kept, tag, item, labelling, stop)

    async def segment(image: bytes, reservation: Reservation) -> None:
        shown = context.inspect(image).as_browsers_show()  # Label Studio's page is where the rectangles were drawn
        await context.segment(shown, boxes, OPTIONS, write, model=model, cost=BRUSH_COST, reservation=reservation)

    field = tag.field(item)
    if (reference := tag.reference(task.data, item)) is None:
        known = ", ".join(map(shorten, list(task.data)[:MAX_QUOTED_ITEMS])) or "nothing"
        raise InvalidRequest(f"{field} is missing; the task's data has {known}", field=field)
    found = await asyncio.to_thread(media.find, reference, field)
    if isinstance(found, bytes):
        with context.reserve_image(len(found)) as reservation:
            await segment(found, reservation)
    else:
        file, size = await asyncio.to_thread(media.open, found, field)
        with file, context.reserve_image(size) as reservation:
            image = await asyncio.to_thread(media.read, file, size, field)
            try:
                await segment(image, reservation)
            except UnsupportedImage as error:
                # Without the value: what files of other kinds begin with is nobody's business.
                raise UnsupportedImage(
                    error.detail, reason=error.reason, field=error.field, limit=error.limit
                ) from error
    prediction.notes += [error.detail for error in wrong]
