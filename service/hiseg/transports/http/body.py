"""The three forms of a request body -> image bytes, rows of boxes, options."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from hiseg.api.boxes import parse_boxes
from hiseg.api.options import Options, read_json, read_values
from hiseg.batching.admission import Reservation
from hiseg.core.errors import InvalidRequest, TooLarge, UnsupportedImage
from hiseg.images.encoded import MEDIA_TYPES
from hiseg.images.limits import FIELD
from hiseg.transports.http.schemas import JsonOptions, JsonRequest, QueryOptions

RAW = {*MEDIA_TYPES, "application/octet-stream"}
MULTIPART, JSON = "multipart/form-data", "application/json"


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """A request, read but not yet understood: the image is still encoded, the boxes still in the caller's form."""

    image: bytes
    boxes: list[list[float]]
    options: Options


async def read_request(request: Request) -> SegmentRequest:
    """Read any of the three forms, by content type.

    Raises:
        UnsupportedImage: a content type that is none of them.
        InvalidRequest: options, boxes, JSON or multipart are malformed.
        TooLarge: the body is over the limit.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in RAW:
        options = read_values(QueryOptions, dict(request.query_params))
        return SegmentRequest(await request.body(), parse_boxes(options.boxes), options)
    if media_type == MULTIPART:
        return await _read_multipart(request)
    if media_type == JSON:
        body = read_json(JsonRequest, await request.body())
        return SegmentRequest(_from_base64(body.image), body.boxes, body)
    taken = sorted({*RAW, MULTIPART, JSON})
    raise UnsupportedImage(
        f"content type {media_type or 'missing'!r} is not taken; {', '.join(taken)} are",
        field="content-type",
        limit=taken,
        value=media_type,
    )


async def _read_multipart(request: Request) -> SegmentRequest:
    try:
        form = await request.form(max_files=2, max_fields=2)
    except HTTPException as error:
        raise InvalidRequest(f"the multipart body is malformed: {error.detail}", field="body") from error
    try:
        extra = set(form) - {FIELD, "request"}
        if extra:
            raise InvalidRequest(f"unknown part {min(extra)!r}", field=min(extra), limit=[FIELD, "request"])
        image, options = form.get(FIELD), form.get("request", "{}")
        if not isinstance(image, UploadFile):
            raise InvalidRequest("there is no file part 'image'", field=FIELD)
        text = (await options.read()) if isinstance(options, UploadFile) else options.encode("utf-8", "replace")
        parsed = read_json(JsonOptions, text)
        return SegmentRequest(await image.read(), parsed.boxes, parsed)
    finally:
        await form.close()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"image is not base64: {error}", field=FIELD, value=text[:20]) from error


def announced_bytes(request: Request, max_bytes: int) -> int:
    """Size of the body by its header; 0 if it doesn't say.

    Raises:
        TooLarge: over the limit.
    """
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() else 0
    if size > max_bytes:
        raise _too_large(size, max_bytes)
    return size


def announced_deadline(request: Request, arrived: float) -> float | None:
    """When the answer is worth nothing any more, by the query; None if that names no deadline, or what can't be one."""
    named = request.query_params.get("deadline_ms", "")
    return arrived + int(named) / 1000 if named.isdecimal() and len(named) < 10 and int(named) else None


def counted(request: Request, place: Reservation, max_bytes: int) -> Request:
    """The same request; reading it raises :class:`TooLarge` past the limit, and ``place`` holds what was read."""
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise _too_large(received, max_bytes)
        if received > place.bytes:
            place.reserve(received)
        return message

    return Request(request.scope, receive)


def _too_large(size: int, max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the body has {size} bytes or more; at most {max_bytes} are taken", field="body", limit=max_bytes, value=size
    )
