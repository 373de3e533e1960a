"""Boxes outside their image are told of, or refused where all are so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.api.boxes import BoxFormat, to_boxes
from hiseg.api.options import FindDefaults, Options
from hiseg.api.units import NOBODY, notes_on_boxes
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import Image
from hiseg.core.job import Finding, Mode
from hiseg.images.limits import ImageLimits

WIDTH, HEIGHT = 480, 256
IMAGE = Image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
LIMITS = ImageLimits(10**6, 10**6)
INSIDE, OUTSIDE, SMALL = [11, 8, 185, 250], [500, 8, 600, 250], [5.2, 5.2, 5.9, 5.9]


def notes(*rows: list[float], stream: int | None = None, **options: object) -> tuple[str, ...]:
    return Options.model_validate(options).to_job(IMAGE, rows, LIMITS, "m", stream=stream).notes


def test_some_boxes_outside_are_notes() -> None:
    assert notes(INSIDE) == ()
    assert notes(INSIDE, OUTSIDE) == ("boxes[1] lies outside the image",)
    assert notes(OUTSIDE, INSIDE, SMALL) == (
        "boxes[0] lies outside the image",
        "boxes[2] has less than a pixel in the image",
    )
    assert notes(INSIDE, *[OUTSIDE] * 9) == (
        "boxes[1], boxes[2], boxes[3], boxes[4], boxes[5] and 4 more lie outside the image",
    )


@pytest.mark.parametrize(
    ("rows", "options", "field", "hint"),
    [
        ([OUTSIDE], {}, "boxes[0]", "pixels, as xyxy"),
        ([OUTSIDE, OUTSIDE], {}, "boxes", "pixels, as xyxy"),
        ([SMALL], {}, "boxes[0]", "pixels"),
        ([[0.02, 0.03, 0.38, 1]], {}, "boxes[0]", "normalized=true"),
        ([[0, 0, 1, 1]], {}, "boxes[0]", "normalized=true"),
        ([[0.02, 0.03, 0.38, 1], [0.5, 0.1, 0.9, 0.9]], {}, "boxes", "normalized=true"),
        ([[0.2, 0.3, 0.38, 0.5]], {"box_format": "xywh"}, "boxes[0]", "normalized=true"),
        ([INSIDE], {"normalized": True}, "boxes[0]", "leave out normalized"),
        ([[0, 0, 185, 256]], {"normalized": True}, "boxes[0]", "leave out normalized"),
        ([[0.1, 0.1, 0.9, 0.9], INSIDE], {"normalized": True}, "boxes[1]", "leave out normalized"),
        ([[1.2, 1.2, 1.4, 1.4]], {"normalized": True}, "boxes[0]", "leave out normalized"),
        ([[266, 9, 214, 247]], {}, "boxes[0]", "box_format=xywh"),
        ([[1, 2, 3, 4, 0.9]], {}, "boxes[0]", "without score and class"),
        ([[1, 2, 3, 4, 0.9, 0]], {}, "boxes[0]", "without score and class"),
        ([[1, 2, 3, 4, 5, 6, 7, 8]], {}, "boxes[0]", "semicolons"),
        ([[5, 5, 0, 5]], {"box_format": "xywh"}, "boxes[0]", "width and height"),
    ],
)
def test_boxes_in_other_units_are_refused(
    rows: list[list[float]], options: dict[str, object], field: str, hint: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        notes(*rows, **options)
    assert refused.value.field == field
    assert hint in refused.value.detail


def test_frames_of_a_stream_may_have_all_their_boxes_outside() -> None:
    assert notes(OUTSIDE, stream=1) == ("boxes[0] lies outside the image",)
    assert notes(INSIDE, stream=1, normalized=True) == ("boxes[0] lies outside the image",)
    outside = to_boxes([OUTSIDE], WIDTH, HEIGHT)
    job = Options().to_job(IMAGE, lambda *_: outside, LIMITS, "m")
    assert job.notes == ("boxes[0] lies outside the image",)


def test_nobody_is_told_of_where_somebody_is_looked_for() -> None:
    assert notes() == (NOBODY,)
    assert notes(mode="binary") == ()
    with pytest.raises(InvalidRequest, match=r"boxes\[0\] lies outside the image"):
        notes(OUTSIDE, mode="binary")


def test_boxes_that_are_left_out_are_no_empty_list() -> None:
    assert Options(mode=Mode.BINARY).to_job(IMAGE, None, LIMITS, "m").notes == ()
    assert Options(find=False).to_job(IMAGE, None, LIMITS, "m").notes == notes()
    with pytest.raises(InvalidRequest, match="boxes are missing; mode=binary needs none, and no model is served"):
        Options().to_job(IMAGE, None, LIMITS, "m")
    with pytest.raises(InvalidRequest, match="find=true, and no model is served that finds people") as refused:
        Options(find=True).to_job(IMAGE, [INSIDE], LIMITS, "m")
    assert refused.value.field == "find"


DEFAULTS = FindDefaults(threshold=0.4, max_boxes=5)


@pytest.mark.parametrize(
    ("options", "rows", "finding"),
    [
        ({}, None, Finding(0.4, 5)),
        ({"max_people": 3, "find_threshold": 0.0}, None, Finding(0.0, 3)),
        ({"max_people": 30}, None, Finding(0.4, 5)),
        ({"find": True}, [], Finding(0.4, 5)),
        ({"find": True}, [INSIDE] * 2, Finding(0.4, 3)),
        ({"find": True, "max_people": 1, "mode": "binary"}, [INSIDE] * 2, Finding(0.4, 1)),
        ({"find": True}, [INSIDE] * 9, Finding(0.4, 0)),
        ({"find": True, "mode": "binary"}, None, None),
        ({"mode": "binary"}, None, None),
        ({"find": False}, None, None),
        ({"find_threshold": 0.1}, [], None),
        ({}, [INSIDE], None),
    ],
)
def test_whom_a_request_has_found(options: dict[str, object], rows: list[list[float]] | None, finding: object) -> None:
    job = Options.model_validate(options).to_job(IMAGE, rows, LIMITS, "m", finding=DEFAULTS)
    assert job.finding == finding
    nobody = rows is not None or options.get("find") is False
    assert bool(job.notes) == (not job.boxes and finding is None and nobody and job.mode is Mode.INSTANCE)


@given(
    st.lists(st.tuples(*[st.floats(-2000, 2000)] * 2, *[st.floats(0.01, 2000)] * 2), min_size=1, max_size=8),
    st.integers(2, 2000),
    st.integers(2, 2000),
)
def test_a_box_is_told_of_exactly_if_it_has_less_than_a_pixel(
    corners: list[tuple[float, ...]], width: int, height: int
) -> None:
    boxes = to_boxes(corners, width, height, BoxFormat.XYWH)
    told = " ".join(notes_on_boxes(boxes, width, height))
    for index, box in enumerate(boxes[:5]):
        inside = box.clipped(width, height)
        seen = not inside.is_empty and inside.area >= 1 and not (box.x2 <= 1 >= box.y2)
        assert (f"boxes[{index}]" in told) != seen


@pytest.mark.parametrize(
    "rows",
    [
        [[-0.01, -0.01, 1.02, 1.02]],
        [[0, 0, 1, 1], [0.2, 0.2, 1.3, 0.9]],
        [[0.4, 0.5, 1.5, 1.5]],
        [[-0.2, 0.1, 0.3, 1.1]],
    ],
)
def test_shares_that_reach_a_little_beyond_the_image_are_no_pixels(rows: list[list[float]]) -> None:
    with pytest.raises(InvalidRequest, match="say normalized=true") as raised:
        notes(*rows)
    assert raised.value.limit == [WIDTH, HEIGHT]
    assert notes(*rows, normalized=True) == ()
    assert len(notes(*rows, INSIDE)) <= 1
