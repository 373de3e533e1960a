"""HEAD is answered wherever GET is, OPTIONS everywhere, and other methods with those that a path takes."""

from __future__ import annotations

import http.client

import httpx
import pytest

from benchmarks.harness.serving import Server

GETS = ["/", "/healthz", "/readyz", "/health", "/v1/models", "/v1/info", "/docs", "/openapi.json", "/playground/app.js"]
GETS += ["/docs/assets/start.js", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/hiseg_b0", "/metrics"]
GETS += ["/v2/models/hiseg_b0/ready", "/nothing", "/v2/models/nothing", "/playground/nothing"]
POSTS = ["/v1/segment", "/predict", "/setup", "/v2/models/hiseg_b0/infer"]
CHANGING = ("date", "x-request-id")


@pytest.mark.parametrize("path", GETS)
def test_head_is_get_without_its_body(client: httpx.Client, path: str) -> None:
    get, head = client.get(path), client.head(path)
    changing = {*CHANGING, "content-length"} if path == "/metrics" else CHANGING
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }
    assert int(head.headers["content-length"]) > 0


def test_a_connection_goes_on_after_head(server: Server) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    for _ in range(3):
        for method in ("HEAD", "GET", "OPTIONS"):
            connection.request(method, "/healthz")
            assert connection.getresponse().read() == (b'{"status":"ok"}' if method == "GET" else b"")
    connection.close()


def test_head_with_the_etag_is_304(client: httpx.Client) -> None:
    tag = client.head("/playground/app.js").headers["etag"]
    assert client.head("/playground/app.js", headers={"if-none-match": tag}).status_code == 304


def test_probes_with_head_are_no_requests_for_masks(client: httpx.Client) -> None:
    def counted() -> list[str]:
        return [line for line in client.get("/metrics").text.splitlines() if line.startswith("hiseg_requests_total")]

    before = counted()
    for path in (*GETS, *POSTS):
        client.head(path)
        client.options(path)
    assert counted() == before


@pytest.mark.parametrize("path", [*(path for path in GETS if "nothing" not in path), *POSTS])
def test_allow_says_what_a_path_takes(client: httpx.Client, path: str) -> None:
    allow = "OPTIONS, POST" if path in POSTS else "GET, HEAD, OPTIONS"
    options = client.options(path)
    assert (options.status_code, options.content, options.headers["allow"]) == (204, b"", allow)
    for method in ("PUT", "DELETE", "PATCH", "PROPFIND", "GET" if path in POSTS else "POST"):
        refused = client.request(method, path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allow)
        assert refused.json()["detail"] == f"{path} takes {allow}; {method} was sent"
    if path in POSTS:
        assert (client.head(path).status_code, client.head(path).headers["allow"]) == (405, allow)


def test_other_paths_have_no_options(client: httpx.Client) -> None:
    assert client.options("/nothing").status_code == 404
