"""``Accept`` chooses between JSON and PNG as RFC 9110 says, and the lines that clients send by themselves get JSON."""

from __future__ import annotations

import io
from typing import Any

import httpx
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.transports.http.accept import preferred, qualities

JSON, PNG = "application/json", "image/png"
DEFAULTS = {
    "curl, requests, httpx, fetch": "*/*",
    "axios, Angular": "application/json, text/plain, */*",
    "jQuery": "application/json, text/javascript, */*; q=0.01",
    "JDK's HttpURLConnection": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Spring's RestTemplate": "text/plain, application/json, application/*+json, */*",
    "Chrome": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7",
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Firefox 128": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,"
    "image/svg+xml,*/*;q=0.8",
    "Safari": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "none": "",
}


@pytest.mark.parametrize("line", DEFAULTS.values(), ids=DEFAULTS)
def test_what_clients_send_by_themselves_gets_json(line: str) -> None:
    assert preferred(line, (JSON, PNG)) == JSON


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        (PNG, PNG),
        ("IMAGE/PNG", PNG),
        ("image/png; q=1.0", PNG),
        ("image/*", PNG),
        ("image/*;q=0.1", PNG),
        ("image/png, */*;q=0.1", PNG),
        ("image/png, */*", PNG),
        ("*/*, image/png", JSON),
        ("image/png, application/json", PNG),
        ("application/json, image/png", JSON),
        ("application/json;q=0.5, image/png", PNG),
        ("image/png;q=0.5, application/json", JSON),
        ("image/png;q=0.5, application/json;q=0.4", PNG),
        ("image/png;q=0.5,application/json;q=0.501", JSON),
        ("text/html;q=0, image/png", PNG),
        ("application/*;q=0.2, image/*;q=0.3", PNG),
        ("application/*, image/png;q=0.9", JSON),
        ("*/*;q=0.1, image/png;q=0", JSON),
        ("application/json;q=0, */*", PNG),
        ("*/*, application/json;q=0", PNG),
        ("image/*, image/png;q=0.1, application/json;q=0.5", JSON),
        ("image/avif,image/webp,image/apng,*/*", JSON),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", PNG),
        ("text/json", JSON),
        ("application/json;charset=utf-8", JSON),
        ('application/json;profile="a, image/png;q=1"', JSON),
        ('image/png;profile="a\\", b";q=0.4, application/json;q=0.3', PNG),
        (" \t image/png \t;\t q = 0.9 , application/json;q=.8", PNG),
        (",,image/png,,", PNG),
        ("image/png;q=", JSON),
        ("image/png;q=2", JSON),
        ("image/png;q=-1", JSON),
        ("image/png;q=high, application/json;q=0.1", JSON),
        ("image", JSON),
        (";;;", JSON),
        ('"', JSON),
        ("image/png;foo=bar;q=0.2, application/json;q=0.1", PNG),
        ("image/webp", None),
        ("text/html", None),
        ("application/xml, image/jpeg;q=0.9", None),
        ("image/png;q=0", None),
        ("*/*;q=0", None),
        ("application/json;q=0.000, image/*;q=0.0", None),
    ],
)
def test_the_choice(line: str, chosen: str | None) -> None:
    assert preferred(line, (JSON, PNG)) == chosen


@given(st.text(max_size=200) | st.text('image/png;q=0.5,*" \\', max_size=200))
def test_any_line_is_read(line: str) -> None:
    assert preferred(line, (JSON, PNG)) in (JSON, PNG, None)
    assert all(0 <= quality <= 1 for quality in qualities(line).values())


def test_long_lines_are_read_as_far_as_clients_honestly_go() -> None:
    for line in ("a/b," * 8000, '"\\' * 16_000, ";" * 32_000, "image/png;q=" + "0" * 32_000):
        assert preferred(line + ", image/png", (JSON, PNG)) in (JSON, None, PNG)


BOX = {"boxes": "22,15,365,512"}


def post(client: httpx.Client, photo: bytes, accept: Any, **options: str) -> httpx.Response:
    lines = [accept] if isinstance(accept, str) else accept
    headers = [("content-type", "image/jpeg"), *(("accept", line) for line in lines)]
    return client.post("/v1/segment", params=BOX | options, content=photo, headers=headers)


@pytest.mark.parametrize("mask_format", ["coco_rle", "label_map", "overlay", "cutout"])
@pytest.mark.parametrize(
    "accept", ["image/*", "application/json;q=0.5, image/png", "*/*;q=0.1, IMAGE/PNG", ["application/json;q=0.1", PNG]]
)
def test_png_is_answered_where_it_is_preferred(
    client: httpx.Client, photo: bytes, mask_format: str, accept: Any
) -> None:
    response = post(client, photo, accept, mask_format=mask_format)
    assert (response.status_code, response.headers["content-type"]) == (200, PNG)
    with PIL.Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.format, mask_format == "cutout" or picture.size == (949, 512)) == ("PNG", True)


@pytest.mark.parametrize("accept", ["*/*;q=0.1", "image/png;q=0.1, application/json;q=0.2", "image/png;q=0, */*"])
def test_json_is_answered_where_it_is_preferred(client: httpx.Client, photo: bytes, accept: str) -> None:
    for mask_format in ("coco_rle", "cutout"):
        assert post(client, photo, accept, mask_format=mask_format).headers["content-type"] == JSON
    # These are nothing but pictures, and whoever asks for one has said more than his client's default.
    for mask_format in ("label_map", "overlay"):
        assert post(client, photo, accept, mask_format=mask_format).headers["content-type"] == PNG


@pytest.mark.parametrize("accept", ["image/webp", "text/html", "image/png;q=0, application/json;q=0"])
def test_nothing_that_is_wanted_can_be_had(client: httpx.Client, photo: bytes, accept: str) -> None:
    problem = post(client, photo, accept)
    assert problem.status_code == 406
    assert problem.headers["content-type"] == "application/problem+json"
    assert (accept in problem.json()["detail"], problem.json()["reason"]) == (True, "NOT_ACCEPTABLE")
    assert (problem.json()["field"], problem.json()["value"]) == ("accept", accept)
    assert "image/png" in problem.json()["limit"]
    assert "neither application/json nor image/png" in problem.json()["detail"]


def test_files_are_compressed_for_those_who_want_it(client: httpx.Client) -> None:
    for line, coding in (("gzip", "gzip"), ("br, GZIP;q=0.1", "gzip"), ("gzip;q=0", None), ("identity", None)):
        response = client.get("/playground/app.js", headers={"accept-encoding": line})
        assert response.headers.get("content-encoding") == coding, line
