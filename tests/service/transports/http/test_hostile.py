"""A hundred hostile requests in a row cause no 5xx and keep no memory, and the service continues."""

from __future__ import annotations

import base64
import io
import json
import random
import zlib
from collections.abc import Iterator

import httpx
import numpy as np
import PIL.Image
import psutil

from benchmarks.harness.serving import Server
from tests.growth import smallest_growth
from tests.service.images.test_encoded import encoded, gradient, png_header

URL = "/v1/segment"
MEBI = 1024 * 1024


def hostile(photo: bytes) -> Iterator[tuple[dict[str, str], dict[str, str], bytes]]:
    """Query, headers and body of one bad request after another, for ever."""
    random.seed(0)
    jpeg, form = {"content-type": "image/jpeg"}, {"content-type": "multipart/form-data; boundary=x"}
    as_json = {"content-type": "application/json"}
    noise = np.random.default_rng(0).bytes(200_000)
    bomb = PIL.Image.new("L", (20_000, 20_000))
    file = io.BytesIO()
    bomb.save(file, "PNG")
    while True:
        yield {}, jpeg, png_header(60_000, 60_000)
        yield {}, jpeg, file.getvalue()
        yield {}, jpeg, photo[: random.randrange(20, len(photo) - 100)]
        yield {}, jpeg, noise
        yield {}, jpeg, b"\xff\xd8\xff" + noise
        yield {}, jpeg, b"\x89PNG\r\n\x1a\n" + noise
        yield {}, jpeg, b"RIFF\x00\x00\x00\x00WEBP" + noise
        yield {}, jpeg, encoded(gradient(), "GIF")
        yield {}, jpeg, b""
        yield {"boxes": ";".join(["1,1,2,2"] * 2000)}, jpeg, photo
        yield {"boxes": "1e400,0,1,1"}, jpeg, photo
        yield {"boxes": ",,,;;;,"}, jpeg, photo
        yield {"boxes": "9" * 5000}, jpeg, photo
        yield {"threshold": "nan"}, jpeg, photo
        yield {}, as_json, b'{"image": "' + b"[" * 1000
        yield {}, as_json, b"[" * 250_000
        yield {}, as_json, json.dumps({"image": base64.b64encode(noise).decode()}).encode()
        yield {}, as_json, json.dumps({"image": "", "boxes": [[0, 0, 1, 1]] * 50_000}).encode()
        yield {}, as_json | {"content-encoding": "gzip"}, zlib.compress(b" " * 10_000_000)
        part = b'--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nabc\r\n'
        yield {}, form, part * 10_000 + b"--x--\r\n"
        yield {}, form, b"--x\r\n" + b"a: b\r\n" * 20_000 + b"\r\n--x--\r\n"
        yield {}, {"content-type": "image/" + "j" * 4000}, photo


def test_a_hundred_hostile_requests(server: Server, client: httpx.Client, photo: bytes) -> None:
    process = psutil.Process(server.process.pid)
    requests = hostile(photo)

    def send(count: int) -> None:
        for _ in range(count):
            query, headers, body = next(requests)
            answer = client.post(URL, params=query, headers=headers, content=body)
            assert 400 <= answer.status_code < 500, (answer.status_code, query, headers, body[:60], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"

    good = {"params": {"boxes": "22,15,365,512"}, "content": photo, "headers": {"content-type": "image/jpeg"}}
    for _ in range(5):
        assert client.post(URL, **good).status_code == 200  # type: ignore[arg-type]
    send(3 * 22)  # every kind, again and again: what is allocated for good at first is not growth
    memory = []
    for _ in range(5):
        send(22)
        memory.append(process.memory_info().rss)
    assert smallest_growth(memory) < MEBI / 4, memory
    assert client.post(URL, **good).status_code == 200  # type: ignore[arg-type]
