"""Request bodies that are malformed, mislabelled or too large."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

from benchmarks.gpu_like import command
from benchmarks.harness.serving import Server, serving
from hiseg.settings import Settings

URL = "/v1/segment"
JPEG = {"content-type": "image/jpeg"}


@pytest.mark.parametrize("media_type", ["text/plain", "image/gif", "application/xml", ""])
def test_content_types_that_are_not_taken(client: httpx.Client, photo: bytes, media_type: str) -> None:
    problem = client.post(URL, content=photo, headers={"content-type": media_type})
    assert problem.status_code == 415
    assert problem.json()["field"] == "content-type"
    assert "image/jpeg" in problem.json()["limit"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "request"),
        (b"{", "request"),
        (b"[1, 2]", "request"),
        (b'{"boxes": []}', "image"),
        (b'{"image": 5}', "image"),
        (b'{"image": "not base64!"}', "image"),
        (b'{"image": "AAAA", "boxes": [[1, 2, "x", 4]]}', "boxes[0][2]"),
        (b'{"image": "AAAA", "boxes": 7}', "boxes"),
        (b'{"image": "AAAA", "threshold": NaN}', "threshold"),
        (b'{"image": "AAAA", "threshold": 1e999}', "threshold"),
        (b'{"image": "AAAA", "colour": 7}', "colour"),
        (b'{"image": "AAAA", "boxes": ' + b"[" * 100_000, "request"),
    ],
)
def test_bad_json_is_named(client: httpx.Client, body: bytes, field: str) -> None:
    problem = client.post(URL, content=body, headers={"content-type": "application/json"})
    assert problem.status_code == 422, problem.text
    assert problem.json()["field"] == field


def test_bad_multipart_is_named(client: httpx.Client, photo: bytes) -> None:
    def failed(field: str, **parts: object) -> None:
        problem = client.post(URL, **parts)  # type: ignore[arg-type]
        assert problem.status_code == 422, problem.text
        assert problem.json()["field"] == field

    failed("image", files={"photo": photo}.fromkeys(["request"], b"{}"))
    failed("photo", files={"photo": photo})
    failed("image", data={"image": ""}, files={"request": b"{}"})
    failed("request", files={"image": photo}, data={"request": "{"})
    failed("boxes", files={"image": photo}, data={"request": json.dumps({"boxes": 5})})
    failed("image", files=[("image", photo)] * 5)
    failed("body", content=b"--x\r\nbroken", headers={"content-type": "multipart/form-data; boundary=x"})
    failed("body", content=b"", headers={"content-type": "multipart/form-data"})


def test_announced_bodies_over_the_limit_are_refused_unread(server: Server) -> None:
    limit = Settings().max_body_bytes
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", URL)
    connection.putheader("content-type", "image/jpeg")
    connection.putheader("content-length", str(limit + 1))
    connection.endheaders()
    answer = connection.getresponse()
    problem = json.loads(answer.read())
    connection.close()
    assert answer.status == 413
    assert (problem["field"], problem["limit"], problem["value"]) == ("body", limit, limit + 1)


@pytest.mark.alone
def test_a_request_that_would_miss_its_deadline_is_refused_unread(photo: bytes) -> None:
    blocked = command("--canvases", "1", "--constant", "1000", "--roi", "0")
    with ThreadPoolExecutor() as pool, serving(blocked) as server, httpx.Client(base_url=server.url) as client:
        accepted = pool.submit(httpx.post, server.url + URL + "?boxes=", content=photo, headers=JPEG, timeout=30)
        while "hiseg_requests_in_progress 1.0" not in client.get("/metrics").text:
            time.sleep(0.01)
        for deadline_ms, status in (("1200", 429), ("100", 504), ("0", 422), ("9" * 5000, 422), ("²", 422)):
            connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
            connection.putrequest("POST", f"{URL}?boxes=&deadline_ms={quote(deadline_ms)}")
            connection.putheader("content-type", "image/jpeg")
            connection.putheader("content-length", str(len(photo)))
            # A caller whose deadline is none must send the body to hear so.
            connection.endheaders(photo if status == 422 else None)
            answer = connection.getresponse()
            assert (answer.status, "retry-after" in answer.headers) == (status, status == 429), answer.read()
            connection.close()
        assert accepted.result().status_code == 200


def test_unannounced_bodies_are_cut_off_at_the_limit(client: httpx.Client) -> None:
    limit = Settings().max_body_bytes

    def chunks() -> Iterator[bytes]:
        for _ in range(limit // 1_000_000 + 2):
            yield b"\xff" * 1_000_000

    try:
        problem = client.post(URL, params={"boxes": ""}, content=chunks(), headers={"content-type": "image/jpeg"})
    except httpx.WriteError:
        pass  # the answer came, and the connection went, while the rest was still being sent
    else:
        assert problem.status_code == 413
    assert client.get("/healthz").status_code == 200


def test_images_over_the_limit_inside_a_body_under_it(client: httpx.Client) -> None:
    limit = Settings().max_image_bytes
    problem = client.post(URL, params={"boxes": ""}, content=b"\xff" * (limit + 1), headers=JPEG)
    assert problem.status_code == 413
    assert (problem.json()["field"], problem.json()["limit"], problem.json()["value"]) == ("image", limit, limit + 1)


def test_too_many_boxes_are_refused_before_they_are_parsed(client: httpx.Client) -> None:
    body = json.dumps({"image": "AAAA", "boxes": [[0, 0, 1, 1]] * 20_000})
    problem = client.post(URL, content=body, headers={"content-type": "application/json"})
    assert problem.status_code == 413
    assert (problem.json()["field"], problem.json()["limit"], problem.json()["value"]) == ("boxes", 100, 20_000)


def test_a_body_that_does_not_arrive_times_out(photo: bytes) -> None:
    with serving(body_timeout_seconds=0.3) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
        connection.putrequest("POST", URL + "?boxes=")
        connection.putheader("content-type", "image/jpeg")
        connection.putheader("content-length", str(len(photo)))
        connection.endheaders(photo[:1000])
        answer = connection.getresponse()
        problem = json.loads(answer.read())
        connection.close()
        assert answer.status == 504
        assert (problem["field"], problem["limit"]) == ("body", 0.3)
        assert "hiseg_held_bytes 0.0" in httpx.get(server.url + "/metrics").text


def test_text_that_cannot_be_encoded_is_a_422(client: httpx.Client) -> None:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="request"\r\n'
        b"content-type: text/plain; charset=unicode_escape\r\n\r\n\\ud800\r\n"
        b'--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nabc\r\n--x--\r\n'
    )
    headers = {"content-type": "multipart/form-data; boundary=x; charset=unicode_escape"}
    assert client.post(URL, content=body, headers=headers).status_code == 422
