"""What an answer has to say of the image and its boxes comes with a PNG too."""

from __future__ import annotations

import io
import json

import httpx
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.transports.http.notes import MAX_NOTES_BYTES, NOTES_HEADER, notes_headers

OUTSIDE = "22,15,365,512;2200,15,2300,512"
TOLD = "boxes[1] lies outside the image"


@given(st.lists(st.text(max_size=300), max_size=40))
def test_the_header_is_ascii_and_short_and_says_what_is_left_out(notes: list[str]) -> None:
    headers = notes_headers(notes)
    assert bool(headers) == bool(notes)
    for text in headers.values():
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= MAX_NOTES_BYTES
        found = json.loads(text)
        if found != notes:
            assert found[:-1] == notes[: len(found) - 1]
            assert found[-1].startswith(f"{len(notes) - len(found) + 1} more")


@pytest.mark.parametrize("mask_format", ["label_map", "overlay", "cutout", "coco_rle"])
def test_a_png_has_the_notes_of_the_json(client: httpx.Client, photo: bytes, mask_format: str) -> None:
    content = io.BytesIO()
    with PIL.Image.open(io.BytesIO(photo)) as picture:
        picture.putalpha(128)
        picture.save(content, "PNG")
    query = {"boxes": OUTSIDE, "mask_format": mask_format}
    for path, accept in (("/v1/segment", "image/png"), ("/v1/segment/png", "*/*")):
        answer = client.post(path, params=query, content=content.getvalue(), headers={"accept": accept})
        assert answer.headers["content-type"] == "image/png"
        assert json.loads(answer.headers[NOTES_HEADER]) == ["transparent: laid on white", TOLD]


def test_json_and_an_image_without_notes_have_no_header(client: httpx.Client, photo: bytes) -> None:
    answer = client.post("/v1/segment", params={"boxes": OUTSIDE}, content=photo)
    assert answer.json()["image"]["notes"] == [TOLD]
    quiet = client.post("/v1/segment/png", params={"boxes": "22,15,365,512"}, content=photo)
    assert NOTES_HEADER not in answer.headers
    assert NOTES_HEADER not in quiet.headers


def test_the_document_tells_of_the_header(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/segment", "/v1/segment/png"):
        assert NOTES_HEADER in paths[path]["post"]["responses"]["200"]["headers"]
