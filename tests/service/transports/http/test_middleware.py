"""Keys, limits and allowed origins over HTTP, on the real service."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import Server, serving
from hiseg.access.keys import digest
from hiseg.client import Client, Unauthorized

KEY, OTHER = "correct horse battery", "staple"
PAGE = "https://app.example"
OPEN = (
    "/",
    "/docs",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/health",
    "/v2/health/live",
    "/playground/app.js",
)
CLOSED = (
    "/v1/info",
    "/v1/models",
    "/v2",
    "/v2/models/hiseg_b0",
    "/nowhere",
    "/docsx",
    "//v1/info",
    "/healthz/../v1/info",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, and a file of keys."""
    folder = tmp_path_factory.mktemp("guard")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=hiseg"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run(["openssl", *request, *names], cwd=folder, check=True, capture_output=True)
    (folder / "keys").write_text(f"web {digest(KEY)}\nslow {digest(OTHER)} rate=0.01\n")
    return folder


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[Server]:
    tls = {"http_tls_cert": folder / "tls.crt", "http_tls_key": folder / "tls.key"}
    with serving(api_keys_file=folder / "keys", cors_origins=PAGE, **tls) as server:
        yield server


@pytest.fixture(scope="module")
def visitor(guarded: Server, folder: Path) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=folder / "tls.crt")
    with httpx.Client(base_url=guarded.url, verify=trusted, timeout=60) as session:
        yield session


def ask(visitor: httpx.Client, **headers: str) -> httpx.Response:
    headers = {"content-type": "image/jpeg"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return visitor.post("/v1/segment", params={"boxes": "22,15,365,512"}, content=SAMPLE.read_bytes(), headers=headers)


def test_health_and_metrics_need_no_key_and_the_rest_does(visitor: httpx.Client) -> None:
    assert {path: visitor.get(path).status_code for path in OPEN} == dict.fromkeys(OPEN, 200)
    for path in CLOSED:
        refused = visitor.get(path)
        assert refused.status_code == 401, path
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json()["title"] == "No valid API key"
    assert 'hiseg_unauthorized_total{transport="http"}' in visitor.get("/metrics").text


def test_the_key_may_be_in_either_header(visitor: httpx.Client) -> None:
    for good in ({"x_api_key": KEY}, {"authorization": f"Bearer {KEY}"}):
        assert ask(visitor, **good).status_code == 200
    for bad in ({}, {"x_api_key": "wrong"}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}):
        assert ask(visitor, **bad).status_code == 401


def test_the_limit_of_a_key_is_its_own(visitor: httpx.Client) -> None:
    assert ask(visitor, x_api_key=OTHER).status_code == 200
    refused = ask(visitor, x_api_key=OTHER)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert ask(visitor, x_api_key=KEY).status_code == 200
    assert 'hiseg_rejected_total{reason="KEY_RATE"} 1.0' in visitor.get("/metrics").text


def test_a_key_is_changed_without_a_restart(visitor: httpx.Client, folder: Path) -> None:
    file, before = folder / "keys", (folder / "keys").read_text()
    try:
        file.write_text(f"{before}web {digest('the next one')}\n")
        while ask(visitor, x_api_key="the next one").status_code == 401:
            time.sleep(0.1)
        assert ask(visitor, x_api_key=KEY).status_code == 200
    finally:
        file.write_text(before)


def test_the_client_library_shows_its_key(guarded: Server, folder: Path) -> None:
    from hiseg.client import Tls

    tls = Tls(ca=folder / "tls.crt")
    with Client(guarded.url, api_key=KEY, tls=tls) as client:
        assert len(client.segment(SAMPLE, [[22, 15, 365, 512]]).instances) == 1
    with Client(guarded.url, tls=tls, retries=0) as client, pytest.raises(Unauthorized):
        client.segment(SAMPLE, [[22, 15, 365, 512]])


def test_only_listed_origins_may_send_requests(visitor: httpx.Client, client: httpx.Client) -> None:
    def preflight(session: httpx.Client, origin: str) -> str | None:
        asked = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key",
        }
        return session.options("/v1/segment", headers=asked).headers.get("access-control-allow-origin")

    assert preflight(visitor, PAGE) == PAGE
    assert preflight(visitor, "https://evil.example") is None
    assert preflight(client, PAGE) is None, "off unless it is asked for"
    answer = ask(visitor, origin=PAGE, x_api_key=KEY)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert {"X-Request-ID", "X-Hiseg-Notes"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_below_v2_the_protocol_s_clients_find_the_sentence(guarded: Server, folder: Path) -> None:
    with httpx.Client(base_url=guarded.url, verify=ssl.create_default_context(cafile=folder / "tls.crt")) as session:
        for path in ("/v2", "/v2/models/hiseg_b0", "/v2/repository/index"):
            found = session.post(path) if path.endswith("index") else session.get(path)
            assert found.status_code == 401
            assert found.json()["error"] == found.json()["detail"]
        assert "error" not in session.get("/v1/info").json()


def test_invalid_files_are_an_error_at_the_start(folder: Path) -> None:
    from benchmarks.harness.paths import HISEG

    command = [HISEG, "serve", "--port", "0", "--grpc-port", "0"]
    for variables, word in (
        ({"HISEG_API_KEYS_FILE": str(folder / "tls.crt")}, "line 1"),
        ({"HISEG_HTTP_TLS_CERT": str(folder / "keys"), "HISEG_HTTP_TLS_KEY": str(folder / "tls.key")}, "HTTP"),
    ):
        done = subprocess.run(
            command, env={"PATH": "/usr/bin", **variables}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert word in done.stderr
