"""What goes over HTTP: a question as a request, an answer as a result or an error. No I/O."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hiseg.client import errors
from hiseg.client.errors import ClientError
from hiseg.client.images import as_file
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Instance, Result
from hiseg.core.errors import UndecodableImage
from hiseg.core.result import ModelRef

SEGMENT, INFO, READY = "/v1/segment", "/v1/info", "/readyz"
LONGEST_QUERY = 2000
"""Characters of boxes that travel in the query. Proxies take eight thousand or so; quoting may treble what is here."""
LONGEST_DEADLINE_MS = 600_000
"""The service takes no longer one."""
OCTETS = "application/octet-stream"
"""The service looks for itself which type of image it is."""
TYPES: dict[int, type[ClientError]] = {
    401: errors.Unauthorized,
    403: errors.Unauthorized,
    413: errors.TooLarge,
    415: errors.UnsupportedImage,
    422: errors.InvalidRequest,
    429: errors.Overloaded,
    500: errors.InternalError,
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}


class Post:
    """A question, written down once and sent as often as need be."""

    def __init__(self, question: SegmentRequest, jpeg_quality: int | None) -> None:
        self._image = as_file(question.image, jpeg_quality)
        self._rows = question.rows
        self._options = dict(question.options)
        boxes = ";".join(",".join(map(repr, row)) for row in question.rows)
        self._boxes = boxes if len(boxes) <= LONGEST_QUERY else None

    def arguments(self, seconds: float) -> dict[str, Any]:
        """What httpx is given to ask for an answer within so many seconds."""
        options = self._options | {"deadline_ms": min(LONGEST_DEADLINE_MS, max(1, round(seconds * 1000)))}
        if self._boxes is None:
            text = json.dumps(options | {"boxes": self._rows})
            return {"files": {"image": ("image", self._image, OCTETS), "request": (None, text)}}
        headers = {"content-type": OCTETS}
        return {"params": options | {"boxes": self._boxes}, "content": self._image, "headers": headers}


def read(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The answer's fields.

    Raises:
        ClientError: it is an error.
    """
    fields: dict[str, Any] = {}
    with suppress(ValueError):
        if isinstance(found := json.loads(body), dict):
            fields = found
    if status == 200 and fields:
        return fields
    raise failure(status, headers, body, fields)


def failure(status: int, headers: Mapping[str, str], body: bytes, fields: Mapping[str, Any]) -> ClientError:
    """The error that an answer is."""
    kind = TYPES.get(status, errors.UnexpectedAnswer)
    if status == 422 and fields.get("title") == UndecodableImage.title:
        kind = errors.UndecodableImage
    shown = body[:200].decode(errors="replace").strip()
    detail = str(fields.get("detail") or f"HTTP {status} that the service never says: {shown or 'nothing'}")
    if "id" in fields:
        detail += f" ({fields['id']})"
    return kind(
        detail,
        status=status,
        field=fields.get("field"),
        limit=fields.get("limit"),
        value=fields.get("value"),
        retry_after=seconds_in(headers.get("retry-after")),
    )


def seconds_in(retry_after: str | None) -> float | None:
    """``Retry-After`` in either of its forms (RFC 9110, 10.2.3); None if there is none, or it is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def to_result(fields: Mapping[str, Any]) -> Result:
    """The result in an answer.

    Raises:
        UnexpectedAnswer: there is none in it.
    """
    try:
        image, foreground = fields["image"], fields.get("foreground")
        return Result(
            width=image["width"],
            height=image["height"],
            notes=tuple(image["notes"]),
            model=ModelRef(**fields["model"]),
            instances=tuple(map(_instance, fields["instances"])),
            foreground=None if foreground is None else _instance(foreground),
            timings_ms=fields["timings_ms"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UnexpectedAnswer(f"an answer that the service never gives: {error!r}", status=200) from error


def _instance(fields: Mapping[str, Any]) -> Instance:
    x1, y1, x2, y2 = fields["box"]
    height, width = fields["mask"]["size"]
    return Instance((x1, y1, x2, y2), fields["score"], fields["area"], fields["mask"]["counts"], (height, width))
