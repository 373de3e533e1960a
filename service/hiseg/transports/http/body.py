"""Reads the three forms of a request for masks (a raw image, multipart, JSON) into one."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from fastapi import Request
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from hiseg.api.boxes import parse_boxes
from hiseg.api.options import MAX_ROWS, Options, read_json, read_values
from hiseg.core.errors import InvalidRequest, UnsupportedImage
from hiseg.images.encoded import MEDIA_TYPES
from hiseg.images.limits import IMAGE_FIELD

RAW = {*MEDIA_TYPES, "application/octet-stream"}
MULTIPART, JSON = "multipart/form-data", "application/json"


class QueryOptions(Options):
    """Options in the query of a request whose body is the image."""

    boxes: str = Field("", description="`x1,y1,x2,y2;x1,y1,x2,y2;…`", examples=["171,49,414,512"])


class JsonOptions(Options):
    """Options as JSON: the `request` part of a multipart body."""

    boxes: list[list[float]] = Field(
        default_factory=list, max_length=MAX_ROWS, description="one row of four numbers per person"
    )


class JsonRequest(JsonOptions):
    """A request that is all JSON. A third more bytes than the other forms, and slower to read."""

    image: str = Field(description="the image, base64")


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """A request for masks in any of the three forms.

    Attributes:
        image: encoded.
        boxes: rows of numbers as they were sent; what they mean is among the options.
        options: validated.
    """

    image: bytes
    boxes: list[list[float]]
    options: Options


async def read_request(request: Request) -> SegmentRequest:
    """Read the form that the content type names.

    Raises:
        UnsupportedImage: the content type is none of them.
        InvalidRequest: options, boxes, JSON or multipart are malformed.
        TooLarge: the JSON has too many values.
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
        extra = set(form) - {IMAGE_FIELD, "request"}
        if extra:
            raise InvalidRequest(f"unknown part {min(extra)!r}", field=min(extra), limit=[IMAGE_FIELD, "request"])
        image, options = form.get(IMAGE_FIELD), form.get("request", "{}")
        if not isinstance(image, UploadFile):
            raise InvalidRequest("there is no file part 'image'", field=IMAGE_FIELD)
        text = (await options.read()) if isinstance(options, UploadFile) else options.encode("utf-8", "replace")
        parsed = read_json(JsonOptions, text)
        return SegmentRequest(await image.read(), parsed.boxes, parsed)
    finally:
        await form.close()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"image is not base64: {error}", field=IMAGE_FIELD, value=text[:20]) from error
