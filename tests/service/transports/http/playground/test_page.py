"""How the playground's files are served."""

from __future__ import annotations

import re

import httpx
import pytest

from benchmarks.harness.paths import ROOT
from hiseg.transports.http.playground.page import FOLDER, MEDIA_TYPES

PARTS = sorted(path.name for path in FOLDER.iterdir() if path.name != "index.html")
MOST_BYTES = 60_000


@pytest.mark.parametrize("path", ["/", *(f"/playground/{name}" for name in PARTS)])
def test_each_file_is_served_safely_and_kept_by_browsers(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    name = path.rpartition("/")[2] or "index.html"
    assert answer.status_code == 200
    assert answer.content == (FOLDER / name).read_bytes()
    headers = answer.headers
    assert headers["content-type"] == MEDIA_TYPES["." + name.rpartition(".")[2]]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy), "no other host"
    assert headers["cache-control"] == "no-cache"
    for known in (headers["etag"], f'"other", {headers["etag"]}'):
        again = client.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == headers["etag"]
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    plain = client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


def test_the_page_is_light(client: httpx.Client) -> None:
    total = 0
    for name in ("", *(f"playground/{name}" for name in PARTS if not name.endswith(".jpg"))):
        with client.stream("GET", f"/{name}") as answer:
            total += sum(len(chunk) for chunk in answer.iter_raw())
    assert total < MOST_BYTES, f"{total} bytes"


def test_what_is_not_there_is_a_problem(client: httpx.Client) -> None:
    for name in ("nothing.js", "index.html", "..%2Fpage.py", "%2e%2e/page.py"):
        answer = client.get(f"/playground/{name}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_in_it_names_another_host() -> None:
    for path in FOLDER.iterdir():
        if path.suffix != ".jpg":
            assert set(re.findall(r"https?://[^\"' ]*", path.read_text())) <= {"http://www.w3.org/2000/svg"}, path.name


def test_the_sample_is_the_one_of_the_readme() -> None:
    assert (FOLDER / "people.jpg").read_bytes() == (ROOT / "docs" / "samples" / "people.jpg").read_bytes()
