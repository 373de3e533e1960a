"""Clients in wide use post a photo as they are, with what they say by themselves, and get its masks."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import Server
from tests.service.transports.http.http_server import read_all, read_answer

URL, QUERY = "/v1/segment", "/v1/segment?boxes=22,15,365,512"
OPTIONS = {"boxes": [[22, 15, 365, 512]]}
JPEG = {"content-type": "image/jpeg"}
HERE = Path(__file__).parent
FORMS = {"image": ("photo.jpg", SAMPLE.read_bytes(), "image/jpeg"), "request": (None, json.dumps(OPTIONS))}
AS_JSON = OPTIONS | {"image": base64.encodebytes(SAMPLE.read_bytes()).decode()}


def run(*command: str | Path) -> str:
    """What a program prints."""
    if shutil.which(command[0]) is None:
        missing(f"there is no {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_jdk(server: Server) -> None:
    """Its client offers HTTP/2 with the request; a service that takes up the offer half loses the body."""
    if shutil.which("javac") is None:
        missing("there is no JDK")
    lines = run("java", HERE / "JdkClient.java", server.url, SAMPLE).splitlines()
    forms = ("file", "bytes", "stream", "multipart", "json", "HttpURLConnection")
    assert lines == [*(f"{form} 200 application/json 2" for form in forms), "head 200"]


def test_node(server: Server) -> None:
    found = json.loads(run("node", HERE / "client.mjs", server.url, SAMPLE))
    masks = [200, "application/json", 1]
    forms = ("blob", "bytes", "form", "json", "stream", "chunks", "expect")
    assert {name: found[name] for name in forms} == dict.fromkeys(forms, masks)
    assert found["text"][:2] == [415, "application/problem+json"]  # what fetch says of a text by itself
    assert found["head"] == 200


CURL = {
    "plain": (),
    "upgrade to HTTP/2": ("--http2",),
    "HTTP/1.0": ("-0",),
    "waits to be asked for the body": ("-H", "Expect: 100-continue"),
    "chunks": ("-H", "Transfer-Encoding: chunked"),
    "no type": ("-H", "Content-Type:"),
    "compressed answers": ("--compressed",),
    "browser": ("-H", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/png,*/*;q=0.8"),
}


@pytest.mark.parametrize("arguments", CURL.values(), ids=CURL)
def test_curl(server: Server, arguments: tuple[str, ...]) -> None:
    data = ("--data-binary", f"@{SAMPLE}", server.url + QUERY)
    answer = json.loads(run("curl", "-sS", "-m", "30", "-H", "Content-Type: image/jpeg", *arguments, *data))
    assert len(answer["instances"]) == 1


@pytest.mark.parametrize("arguments", [(), ("--http2",), ("-H", "Expect: 100-continue")])
def test_curl_with_a_form(server: Server, arguments: tuple[str, ...]) -> None:
    parts = ("-F", f"image=@{SAMPLE}", "-F", f"request={json.dumps(OPTIONS)};type=application/json")
    answer = json.loads(run("curl", "-sS", "-m", "30", *arguments, *parts, server.url + URL))
    assert len(answer["instances"]) == 1


def in_requests(url: str, photo: bytes) -> Iterator[Any]:
    yield requests.post(url + QUERY, data=photo, timeout=30).json()
    yield requests.post(url + QUERY, data=io.BytesIO(photo), headers=JPEG, timeout=30).json()
    yield requests.post(url + QUERY, data=iter([photo[:5], photo[5:]]), headers=JPEG, timeout=30).json()
    yield requests.post(url + URL, files=FORMS, timeout=30).json()
    yield requests.post(url + URL, json=AS_JSON, timeout=30).json()


def in_httpx(url: str, photo: bytes) -> Iterator[Any]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client.post(QUERY, content=photo).json()
        yield client.post(QUERY, content=iter([photo]), headers=JPEG).json()
        yield client.post(URL, files=FORMS).json()
        yield client.post(URL, json=AS_JSON).json()


def in_aiohttp(url: str, photo: bytes) -> Iterator[Any]:
    async def ask(path: str, **arguments: Any) -> Any:
        async with aiohttp.ClientSession() as session, session.post(url + path, **arguments) as answer:
            return await answer.json()

    form = aiohttp.FormData()
    form.add_field("image", photo, filename="photo.jpg")
    form.add_field("request", json.dumps(OPTIONS), content_type="application/json")
    yield asyncio.run(ask(QUERY, data=photo))
    yield asyncio.run(ask(QUERY, data=photo, headers=JPEG, expect100=True))
    yield asyncio.run(ask(QUERY, data=io.BytesIO(photo), headers=JPEG, chunked=True))
    yield asyncio.run(ask(URL, data=form))
    yield asyncio.run(ask(URL, json=AS_JSON))


def in_urllib(url: str, photo: bytes) -> Iterator[Any]:
    with urllib.request.urlopen(urllib.request.Request(url + QUERY, photo, JPEG), timeout=30) as answer:
        yield json.load(answer)
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    for headers in ({}, JPEG):
        connection.request("POST", QUERY, photo, headers)
        yield json.load(connection.getresponse())
    connection.close()


@pytest.mark.parametrize("clients", [in_requests, in_httpx, in_aiohttp, in_urllib])
def test_clients_in_python(server: Server, photo: bytes, clients: Callable[[str, bytes], Iterator[Any]]) -> None:
    for answer in clients(server.url, photo):
        assert len(answer["instances"]) == 1, answer


def test_what_urllib_says_by_itself_is_refused_in_plain_words(server: Server, photo: bytes) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(server.url + QUERY, photo, timeout=30)
    assert raised.value.code == 415
    assert "image/jpeg" in json.load(raised.value)["detail"]
    raised.value.close()


HEAD = "POST {} HTTP/1.{}\r\n{}content-type: image/jpeg\r\ncontent-length: {}\r\n\r\n"


@pytest.mark.parametrize("host", ["Host: x\r\n", "Host: [::1]:8000\r\n", "Host:\r\n", "host: [fe80::1%25eth0]\r\n", ""])
@pytest.mark.parametrize("minor", [0, 1])
def test_any_host(server: Server, photo: bytes, host: str, minor: int) -> None:
    name, _, port = server.url.removeprefix("http://").rpartition(":")
    for target in (QUERY, "http://hiseg.example" + QUERY):
        with socket.create_connection((name, int(port)), timeout=30) as connection:
            connection.sendall(HEAD.format(target, minor, host, len(photo)).encode() + photo)
            answer = read_answer(connection) if minor else read_all(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b'"area":') == 1
