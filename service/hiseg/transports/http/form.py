"""A request as a form: the part ``image``, and options in the part ``request`` or in fields of their names."""

from __future__ import annotations

from fastapi import Request
from pydantic import Field

from hiseg.api.boxes import check_count
from hiseg.api.json_reader import limits_of_options, read_json
from hiseg.api.numbers import Row
from hiseg.api.options import Options, Rows
from hiseg.api.validation import find_meant, unknown_name
from hiseg.core.errors import InvalidRequest, Reason, TooLarge, shorten
from hiseg.images.limits import IMAGE_FIELD
from hiseg.transports.http.multipart import Part, read_parts
from hiseg.transports.http.texts import BOXES, QueryOptions, read_texts

REQUEST_FIELD = "request"
"""Name of the part of a multipart body that has the options as JSON."""
BASE64_OF_IMAGES = (b"/9j/", b"iVBORw0KGgo", b"UklGR", b"data:")
"""How images begin in base64."""


class JsonOptions(Options):
    """Options as JSON: the `request` part of a multipart body."""

    boxes: list[Row] = Field(default_factory=list, fail_fast=True, description="one row of four numbers per person")

    @property
    def rows(self) -> Rows | None:
        """The boxes; None: they are left out. An empty list must have been sent as one."""
        return self.boxes if BOXES in self.model_fields_set else None


class _Names:
    """The names of a form's parts: which there may be, and which there were.

    Args:
        max_boxes: most boxes, each of which may be a field of its own.
    """

    def __init__(self, max_boxes: int) -> None:
        self._known = {IMAGE_FIELD, REQUEST_FIELD, *QueryOptions.model_fields}
        self._max_boxes = max_boxes
        self._seen: dict[str, int] = {}

    def check(self, part: Part) -> None:
        """Take a part, or say why it can't be.

        Raises:
            InvalidRequest: its name is unknown or was there before, or the options are in two places.
            TooLarge: there are too many boxes.
        """
        name = part.name
        if name not in self._known:
            raise self._unknown(part)
        count = self._seen[name] = self._seen.get(name, 0) + 1
        if name == BOXES:
            check_count(count, self._max_boxes)
        elif count > 1:
            told = f"there is more than one part {name!r}"
            raise InvalidRequest(f"{told}; a request has one image" if name == IMAGE_FIELD else told, field=name)
        fields = [each for each in self._seen if each not in (IMAGE_FIELD, REQUEST_FIELD)]
        if REQUEST_FIELD in self._seen and fields:
            raise InvalidRequest(
                f"{fields[0]} is a part of its own beside the part {REQUEST_FIELD!r}; options are in one place",
                field=fields[0],
            )

    def _unknown(self, part: Part) -> InvalidRequest:
        name = part.name
        if not name:
            return InvalidRequest("a part has no name", field="body")
        is_image = part.has_filename or part.media_type.startswith("image/")
        if is_image or find_meant(name, self._known) == IMAGE_FIELD:
            told = f"the image is in the part {shorten(name)!r}; the part has to be called {IMAGE_FIELD!r}"
            return InvalidRequest(told, field=name, limit=IMAGE_FIELD)
        return unknown_name(name, self._known)


async def read_form(request: Request, max_boxes: int) -> tuple[bytes, Rows | None, Options]:
    """Read image, boxes and options of a form; boxes that are left out are None.

    Args:
        request: the request; its body isn't read yet.
        max_boxes: most boxes that are taken, by which the text around them is limited too.

    Raises:
        InvalidRequest: the form is malformed, cut off, or understood in part only.
        TooLarge: there are too many boxes, or too much text.
    """
    parts = await read_parts(request, _Names(max_boxes).check)
    by_name = {part.name: part for part in parts}
    image = by_name.get(IMAGE_FIELD)
    if image is None:
        raise InvalidRequest(f"there is no part {IMAGE_FIELD!r}", field=IMAGE_FIELD)
    content = image.content
    if not content:
        raise InvalidRequest(f"the part {IMAGE_FIELD!r} is empty: no file was chosen", field=IMAGE_FIELD)
    if content.startswith(BASE64_OF_IMAGES):
        raise InvalidRequest(f"the part {IMAGE_FIELD!r} is base64; a part has the image's own bytes", field=IMAGE_FIELD)
    limits = limits_of_options(max_boxes)
    if REQUEST_FIELD in by_name:
        parsed = read_json(JsonOptions, by_name[REQUEST_FIELD].content, limits)
        return content, parsed.rows, parsed
    fields, size = [], 0
    for part in parts:
        if part.name != IMAGE_FIELD:
            text = part.content
            size += len(text)
            if size > limits.max_bytes:
                told = f"the fields have more than {limits.max_bytes} bytes"
                raise TooLarge(told, reason=Reason.TOO_MANY_BYTES, field=part.name, limit=limits.max_bytes, value=size)
            fields.append((part.name, _decode(part.name, text)))
    options, rows = read_texts(fields, "the form", max_boxes)
    return content, rows, options


def _decode(name: str, text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is no text in UTF-8", field=name) from error
