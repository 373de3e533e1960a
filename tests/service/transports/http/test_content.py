"""Bodies are taken under the names that clients give them, and under no coding."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import zlib
from base64 import b64encode

import httpx
import PIL.Image
import pytest

from benchmarks.harness.paths import SAMPLE_BOXES
from benchmarks.harness.serving import Server

URL = "/v1/segment"
BOXES = {"boxes": "22,15,365,512"}
JSON_PATHS = ("/predict", "/setup", "/webhook", "/v2/models/hiseg_b0/infer", "/v2/repository/index")
JSON_URLS = (URL, "/predict", "/setup", "/v2/models/hiseg_b0/infer")


@pytest.fixture(scope="module")
def png(photo: bytes) -> bytes:
    content = io.BytesIO()
    with PIL.Image.open(io.BytesIO(photo)) as picture:
        picture.save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    "media_type",
    [
        "image/jpg",
        "IMAGE/JPEG",
        "Image/Jpeg;charset=UTF-8",
        "image/jpeg; name=photo.jpg; q=1",
        "image/jpeg ; charset=binary",
        '"image/jpeg"',
        "image/pjpeg",
        "image/jfif",
        "image/pipeg",
        "image/x-jpeg",
        "application/jpg",
        "application/binary",
        "image/png",
        "image/x-png",
        "image/webp",
        "image/*",
        "application/octet-stream",
        "binary/octet-stream",
        "application/octet-stream; charset=binary",
        "image/jpeg, image/jpeg",
        "image/jpeg, image/jpg",
        None,
    ],
)
def test_an_image_is_taken_whatever_its_type_is_called(
    client: httpx.Client, photo: bytes, png: bytes, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    for image in (photo, png):
        response = client.post(URL, params=BOXES, content=image, headers=headers)
        assert response.status_code == 200, response.text
        assert response.json()["instances"][0]["area"] > 10_000


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "text/json",
        "text/x-json",
        "application/x-json",
        "application/vnd.acme+json",
        "application/json;charset=iso-8859-1",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_json_is_taken_whatever_its_type_is_called(
    client: httpx.Client, photo: bytes, media_type: str, encoding: str
) -> None:
    body = json.dumps({"image": b64encode(photo).decode(), "boxes": SAMPLE_BOXES}).encode(encoding)
    response = client.post(URL, content=body, headers={"content-type": media_type})
    assert response.status_code == 200, response.text
    assert len(response.json()["instances"]) == 2


@pytest.mark.parametrize(
    "media_type",
    ["text/plain;charset=UTF-8", "image/gif", "multipart/mixed; boundary=x", "image/jpeg, image/png", "jpeg"],
)
def test_other_types_are_refused_with_those_that_are_taken(client: httpx.Client, photo: bytes, media_type: str) -> None:
    problem = client.post(URL, params=BOXES, content=photo, headers={"content-type": media_type})
    assert problem.status_code == 415
    assert problem.json()["field"] == "content-type"
    assert {"image/jpeg", "application/json", "multipart/form-data"} <= set(problem.json()["limit"])
    assert problem.json()["value"] in media_type


def test_the_type_that_curl_sends_by_itself_is_told_as_such(client: httpx.Client, photo: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    problem = client.post(URL, params=BOXES, content=photo, headers=headers)
    assert problem.status_code == 415
    assert "curl" in problem.json()["detail"]
    assert "image/jpeg" in problem.json()["detail"]


@pytest.mark.parametrize("url", JSON_URLS)
@pytest.mark.parametrize("coding", ["gzip", "GZip", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "utf-8"])
def test_compressed_bodies_are_refused_in_the_same_words(
    client: httpx.Client, photo: bytes, url: str, coding: str
) -> None:
    compress = {"deflate": zlib.compress}.get(coding, gzip.compress)
    for body in (photo, b"{}"):
        headers = {"content-encoding": coding, "content-type": "application/json"}
        refused = client.post(url, content=compress(body), headers=headers)
        assert (refused.status_code, refused.headers["accept-encoding"]) == (415, "identity")
        text = refused.json()["error" if url.startswith("/v2") else "detail"]
        assert text.startswith(f"content-encoding '{coding}' is not taken: bodies come uncompressed")
        if not url.startswith("/v2"):
            assert refused.json()["field"] == "content-encoding"


@pytest.mark.parametrize("coding", ["identity", "IDENTITY", "", "identity, identity", "identity ,"])
def test_bodies_that_come_as_they_are_may_say_so(client: httpx.Client, photo: bytes, coding: str) -> None:
    headers = {"content-encoding": coding, "content-type": "image/jpeg"}
    assert client.post(URL, params=BOXES, content=photo, headers=headers).status_code == 200


def test_a_compressed_transfer_is_refused(server: Server, photo: bytes) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    headers = {"transfer-encoding": "gzip, chunked", "content-type": "image/jpeg"}
    connection.request("POST", URL, iter([gzip.compress(photo)]), headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["field"]) == (415, "transfer-encoding")
    connection.close()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("url", JSON_URLS)
def test_json_in_other_encodings_is_refused_by_name(client: httpx.Client, url: str, encoding: str) -> None:
    body = json.dumps({"image": "AAAA", "boxes": []}).encode(encoding)
    refused = client.post(url, content=body, headers={"content-type": "application/json"})
    assert refused.status_code == 422
    assert f"in {encoding[:6].upper()}" in refused.text


def test_a_byte_order_mark_is_skipped_everywhere(client: httpx.Client, photo: bytes) -> None:
    parts = {"image": ("a.jpg", photo), "request": (None, json.dumps({"boxes": SAMPLE_BOXES}).encode("utf-8-sig"))}
    assert len(client.post(URL, files=parts).json()["instances"]) == 2
    view = '<View><Image name="i" value="$image"/><RectangleLabels name="r" toName="i"><Label value="Person"/>'
    view += '</RectangleLabels><BrushLabels name="b" toName="i"><Label value="Person"/></BrushLabels></View>'
    uri = "data:image/jpeg;base64," + b64encode(photo).decode()
    region = {"type": "rectanglelabels", "to_name": "i", "value": {"x": 2, "y": 3, "width": 36, "height": 97}}
    task = {"data": {"image": uri}, "annotations": [{"result": [region]}]}
    body = json.dumps({"tasks": [task], "label_config": view}).encode("utf-8-sig")
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"][0]["result"]) == 1
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [uri]}
    boxes = {"name": "boxes", "shape": [2, 4], "datatype": "FP32", "data": SAMPLE_BOXES}
    body = json.dumps({"inputs": [tensor, boxes]}).encode("utf-8-sig")
    answer = client.post("/v2/models/hiseg_b0/infer", content=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("url", JSON_PATHS)
@pytest.mark.parametrize(
    "media_type",
    [
        "image/jpeg",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        None,
    ],
)
def test_an_image_or_a_form_where_json_is_wanted_is_told_so(
    client: httpx.Client, photo: bytes, url: str, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    for body in (photo, b"image=x&boxes=1", b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n'):
        refused = client.post(url, content=body, headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (415, "UNSUPPORTED_CONTENT_TYPE")
        assert "it has to be application/json" in refused.text
        if not url.startswith("/v2"):
            assert (refused.json()["field"], refused.json()["limit"]) == ("content-type", "application/json")
            assert refused.json()["title"] == "Unsupported content type"


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8", "application/octet-stream", None]
)
def test_json_is_taken_under_the_names_that_curl_and_fetch_have_for_it(
    client: httpx.Client, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    for encoding in ("utf-8", "utf-8-sig"):
        body = '\n {"action": "ANNOTATION_CREATED"}'.encode(encoding)
        assert client.post("/webhook", content=body, headers=headers).status_code == 200
