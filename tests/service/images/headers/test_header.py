"""Where a header says that colour profiles and the like are."""

from __future__ import annotations

import pytest

from hiseg.images.encoded import inspect
from tests.service.images.files import LIMITS, chunk, encoded, inserted, picture, png, segment

PROFILE = bytes(range(256)) * 600


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_profile_is_found_as_it_is(form: str) -> None:
    data = encoded(picture("RGB"), form, icc_profile=PROFILE)
    assert b"".join(data[begin:end] for begin, end in inspect(data, LIMITS).header.profile) == PROFILE


def test_parts_of_a_profile_are_put_in_order() -> None:
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 3]) + bytes([number]) * 9) for number in (3, 1, 2)]
    data = inserted(encoded(picture("RGB"), "JPEG"), b"".join(parts))
    found = b"".join(data[begin:end] for begin, end in inspect(data, LIMITS).header.profile)
    assert found == b"\1" * 9 + b"\2" * 9 + b"\3" * 9


def test_chunks_of_colours_are_found_by_name() -> None:
    bodies = {b"gAMA": b"\0\0\xb1\x8f", b"cICP": b"\1\2\0\1", b"sBIT": b"\5\6\5", b"iCCP": b"name\0\0packed"}
    data = png(8, 8, 8, 2, b"".join(chunk(name, body) for name, body in bodies.items()))
    header = inspect(data, LIMITS).header
    found = {name: data[begin:end] for name, (begin, end) in header.colours.items()}
    assert found | {b"iCCP": data[slice(*header.profile[0])]} == bodies
