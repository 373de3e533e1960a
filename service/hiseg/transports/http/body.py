"""Reads the three forms of a request for masks (a raw image, multipart, JSON) into one."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from pydantic import Field

from hiseg.api.base64_reader import NotBase64
from hiseg.api.boxes import parse_boxes
from hiseg.api.json_reader import LongText, limits_of_options, read_json
from hiseg.api.numbers import Row
from hiseg.api.options import Options
from hiseg.api.validation import read_values
from hiseg.core.errors import InvalidRequest
from hiseg.images.limits import IMAGE_FIELD
from hiseg.transports.http.content import MULTIPART, RAW, body_type
from hiseg.transports.http.multipart import read_parts

REQUEST_FIELD = "request"
"""Name of the part of a multipart body that has the options."""


class QueryOptions(Options):
    """Options in the query of a request whose body is the image."""

    boxes: str = Field("", description="`x1,y1,x2,y2;x1,y1,x2,y2;…`", examples=["171,49,414,512"])


class JsonOptions(Options):
    """Options as JSON: the `request` part of a multipart body."""

    boxes: list[Row] = Field(default_factory=list, fail_fast=True, description="one row of four numbers per person")


class JsonRequest(JsonOptions):
    """A request that is all JSON. A third more bytes than the other forms, and slower to read."""

    image: LongText = Field(description="the image, base64")


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


async def read_request(request: Request, max_boxes: int) -> SegmentRequest:
    """Read the form that the content type names.

    Args:
        request: the request; its body isn't read yet.
        max_boxes: most boxes that are taken, by which the JSON around them is limited too.

    Raises:
        UnsupportedImage: the content type is none of them.
        InvalidRequest: options, boxes, JSON or multipart are malformed.
        TooLarge: there are too many boxes in the query, or too much in the JSON.
    """
    media_type = body_type(request)
    if media_type in RAW:
        options = read_values(QueryOptions, dict(request.query_params))
        return SegmentRequest(await request.body(), parse_boxes(options.boxes, max_boxes), options)
    if media_type == MULTIPART:
        return await _read_multipart(request, max_boxes)
    body = read_json(JsonRequest, await request.body(), limits_of_options(max_boxes))
    image = await _from_base64(body.image)
    body.image = LongText(b"", is_escaped=False)  # it would hold the whole body until the answer
    return SegmentRequest(image, body.boxes, body)


async def _read_multipart(request: Request, max_boxes: int) -> SegmentRequest:
    parts = await read_parts(request, (IMAGE_FIELD, REQUEST_FIELD))
    image = parts.get(IMAGE_FIELD)
    if image is None or not image.is_file:
        raise InvalidRequest("there is no file part 'image'", field=IMAGE_FIELD)
    text = parts[REQUEST_FIELD].content if REQUEST_FIELD in parts else b"{}"
    parsed = read_json(JsonOptions, text, limits_of_options(max_boxes))
    return SegmentRequest(image.content, parsed.boxes, parsed)


async def _from_base64(text: LongText) -> bytes:
    try:
        return await text.from_base64()
    except NotBase64 as error:
        raise InvalidRequest(f"image is not base64: {error}", field=IMAGE_FIELD, value=text.head(20)) from error
