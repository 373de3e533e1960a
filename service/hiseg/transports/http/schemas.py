"""The options of a request as HTTP writes them: the same names in the query, in multipart and in JSON."""

from __future__ import annotations

from pydantic import Field

from hiseg.api.options import MAX_ROWS, Options


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
