"""Reads the three forms of a request for masks (a raw image, multipart, JSON) into one."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from pydantic import Field

from hiseg.api.base64_reader import NotBase64
from hiseg.api.json_reader import LongText, limits_of_options, read_json
from hiseg.api.options import Options, Rows
from hiseg.core.errors import InvalidRequest, Reason, UnsupportedImage
from hiseg.images.limits import IMAGE_FIELD
from hiseg.transports.http.content import JSON, MULTIPART, RAW, body_type
from hiseg.transports.http.form import JsonOptions, read_form
from hiseg.transports.http.texts import check_deadlines, read_deadline, read_query

OPTIONS_OF_FORM = "options of a multipart body are its fields, or stand in its part 'request'"
OPTIONS_OF_JSON = "options of a JSON body stand in its object"


class JsonRequest(JsonOptions):
    """A request that is all JSON. A third more bytes than the other forms, and slower to read."""

    image: LongText = Field(description="the image, base64")


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """A request for masks in any of the three forms.

    Attributes:
        image: encoded.
        boxes: rows of numbers as they were sent, None if they are left out; what they mean is among the options.
        options: validated.
    """

    image: bytes
    boxes: Rows | None
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
        options, rows = read_query(request, max_boxes)
        body = await request.body()
        _check_is_image(body, media_type)
        return SegmentRequest(body, rows, options)
    if media_type == MULTIPART:
        deadline_ms = read_deadline(request, OPTIONS_OF_FORM)
        image, rows, options = await read_form(request, max_boxes)
        check_deadlines(deadline_ms, options.deadline_ms)
        return SegmentRequest(image, rows, options)
    deadline_ms = read_deadline(request, OPTIONS_OF_JSON)
    parsed = read_json(JsonRequest, await request.body(), limits_of_options(max_boxes))
    check_deadlines(deadline_ms, parsed.deadline_ms)
    image = await _from_base64(parsed.image)
    parsed.image = LongText(b"", is_escaped=False)  # it would hold the whole body until the answer
    return SegmentRequest(image, parsed.rows, parsed)


def _check_is_image(body: bytes, media_type: str) -> None:
    """Refuse a body that is of one of the other forms.

    Raises:
        UnsupportedImage: it is, so its content type is wrong.
    """
    head = body[:1000].lstrip()
    if head.startswith((b"{", b"[")):
        meant = JSON
    elif head.startswith(b"--") and b"content-disposition" in head.lower():
        meant = f"{MULTIPART}, with its boundary"
    else:
        return
    raise UnsupportedImage(
        f"the body is no image; its content type has to be {meant}, not {media_type}",
        reason=Reason.UNSUPPORTED_CONTENT_TYPE,
        field="content-type",
        limit=meant,
        value=media_type,
    )


async def _from_base64(text: LongText) -> bytes:
    try:
        return await text.from_base64()
    except NotBase64 as error:
        raise InvalidRequest(f"image is not base64: {error}", field=IMAGE_FIELD, value=text.head(20)) from error
