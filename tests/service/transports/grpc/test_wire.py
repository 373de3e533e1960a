"""A message with more fields than an honest one can have is refused before it is parsed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import HisegError, InvalidRequest, TooLarge
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import parse
from hiseg.transports.grpc.wire import MAX_OTHER_FIELDS, MAX_UNCOUNTED_BYTES, check_fields

BOXES = [pb.Box(x1=0, y1=1.5, x2=100, y2=1e9)] * 1000
LONG = bytes(2 * MAX_UNCOUNTED_BYTES)
EMPTY_BOX = b"\x12\x00"
EMPTY_IMAGE = b"\x0a\x00"
UNKNOWN = b"\xa0\x06\x01"


def inside(number: int, data: bytes) -> bytes:
    """The field ``number``, which holds ``data``."""
    return pb.SegmentRequest(encoded_image=data).SerializeToString().replace(b"\x0a", bytes([number << 3 | 2]), 1)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (EMPTY_BOX * 100_000, "boxes"),
        (EMPTY_IMAGE * 100_000, "encoded_image"),
        (UNKNOWN * 100_000, "request"),
        (b"\x2a\x01b" * 100_000, "variant"),
        (b"\xa3\x06\xa4\x06" * 100_000, "request"),
        (inside(2, UNKNOWN * 100_000), "request"),
        (inside(10, EMPTY_IMAGE * 100_000), "format"),
    ],
)
def test_messages_of_many_fields_are_refused_unparsed(data: bytes, field: str) -> None:
    with pytest.raises(TooLarge) as raised:
        parse(pb.SegmentRequest, data, max_boxes=100)
    assert (raised.value.field, raised.value.limit) == (field, 100 + MAX_OTHER_FIELDS)


@pytest.mark.parametrize("max_boxes", [100, 1000])
def test_honest_messages_are_parsed(max_boxes: int) -> None:
    boxes = BOXES[:max_boxes]
    raw = pb.RawFrame(data=LONG, width=10, height=10, stride=30, chroma_stride=10)
    options = pb.SegmentOptions(threshold=0.3, variant="b0", normalized=True)
    for image in ({"encoded_image": LONG}, {"raw_frame": raw}):
        request = pb.SegmentRequest(**image, boxes=boxes, threshold=0.3, variant="b0", dilation_px=3)  # type: ignore[arg-type]
        assert parse(pb.SegmentRequest, request.SerializeToString(), max_boxes) == request
        frame = pb.SegmentStreamRequest(frame=pb.Frame(**image, boxes=boxes, sequence=2**63, options=options))  # type: ignore[arg-type]
        assert parse(pb.SegmentStreamRequest, frame.SerializeToString(), max_boxes) == frame


def test_the_fields_of_a_frame_are_counted() -> None:
    frame = inside(2, EMPTY_BOX * 100_000)
    with pytest.raises(TooLarge):
        parse(pb.SegmentStreamRequest, frame, max_boxes=100)


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 10))
def test_mutated_messages_give_a_request_or_an_error(put: bytes, at: int, cut: int) -> None:
    request = pb.SegmentRequest(encoded_image=LONG, boxes=BOXES[:3], variant="b0", threshold=0.5).SerializeToString()
    # The short fields first, since what is put into the image changes nothing.
    data = request[len(LONG) :] + request[: len(LONG)]
    changed = data[:at] + put + data[at + cut :]
    error: HisegError | None = None
    try:
        parse(pb.SegmentRequest, changed, max_boxes=100)
    except HisegError as raised:
        error = raised
    assert error is None or isinstance(error, InvalidRequest | TooLarge)


@given(st.lists(st.sampled_from([EMPTY_BOX, UNKNOWN, b"\x2a\x01b", b"\x41" + bytes(8), b"\xa5\x06" + bytes(4)])))
def test_what_is_refused_as_no_message_is_none(fields: list[bytes]) -> None:
    data = inside(1, LONG) + b"".join(fields)
    check_fields(data, pb.SegmentRequest, max_boxes=100)
    pb.SegmentRequest.FromString(data)
