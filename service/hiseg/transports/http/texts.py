"""Options that come as texts, in a query or in the fields of a form: each stands in one place, and there once.

An option in a place where it isn't looked for would have no effect, and its caller would get an answer to another
question: boxes beside a JSON body would be nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import Request
from pydantic import Field

from hiseg.api.boxes import check_count, parse_boxes
from hiseg.api.options import Options, Rows
from hiseg.api.validation import find_meant, read_values, unknown_name
from hiseg.core.errors import InvalidRequest, shorten

BOXES, DEADLINE = "boxes", "deadline_ms"


class QueryOptions(Options):
    """Options in the query of a request whose body is the image."""

    boxes: str = Field(
        "", description="`x1,y1,x2,y2;x1,y1,x2,y2;…`; given more than once, all of them", examples=["171,49,414,512"]
    )


def read_texts(pairs: Iterable[tuple[str, str]], place: str, max_boxes: int) -> tuple[Options, Rows | None]:
    """Read options and boxes from names and texts; boxes that are left out are None.

    Args:
        pairs: names and texts in their order; ``boxes`` may be there several times.
        place: where they stand, for errors.
        max_boxes: most boxes that are taken.

    Raises:
        InvalidRequest: a name is unknown or there twice, or a value is wrong.
        TooLarge: more boxes than are taken.
    """
    values: dict[str, object] = {}
    boxes: list[str] = []
    for name, text in pairs:
        if name == BOXES:
            boxes.append(text)
        elif name in values:
            raise InvalidRequest(f"{shorten(name)} is there twice in {place}", field=name, value=text)
        else:
            values[name] = text
    options = read_values(QueryOptions, values)
    rows: list[list[float]] = []
    for text in boxes:
        rows += parse_boxes(text, max_boxes) if text.strip() or len(boxes) == 1 else []
        check_count(len(rows), max_boxes)
    return options, rows if boxes else None


def read_query(request: Request, max_boxes: int) -> tuple[Options, Rows | None]:
    """Read the options in the query of a request whose body is the image; see :func:`read_texts`."""
    return read_texts(request.query_params.multi_items(), "the query", max_boxes)


def read_deadline(request: Request, home: str) -> int | None:
    """Read the query beside a body that has the options.

    The deadline alone may stand in it: it counts while the body is still on its way.

    Args:
        request: the request; its body need not be read yet.
        home: where options stand, as a sentence: "they stand in …".

    Returns:
        The deadline in milliseconds; None: there is none.

    Raises:
        InvalidRequest: it is wrong, or something else stands in the query.
    """
    pairs = request.query_params.multi_items()
    for name, text in pairs:
        if name == DEADLINE:
            continue
        if name in QueryOptions.model_fields or find_meant(name, QueryOptions.model_fields):
            told = f"{shorten(name)} is in the query; only {DEADLINE} is read there: {home}"
            raise InvalidRequest(told, field=name, limit=[DEADLINE], value=text)
        raise unknown_name(name, [DEADLINE], text)
    if len(pairs) > 1:
        raise InvalidRequest(f"{DEADLINE} is there twice in the query", field=DEADLINE, value=pairs[1][1])
    return read_values(Options, dict(pairs)).deadline_ms if pairs else None


def check_deadlines(of_query: int | None, of_body: object) -> None:
    """Refuse a deadline that is in the query and in the body.

    Raises:
        InvalidRequest: it is in both.
    """
    if of_query is not None and of_body is not None:
        raise InvalidRequest(
            f"{DEADLINE} is in the query and in the body; one is enough", field=DEADLINE, value=of_query
        )
