"""Errors are shown in plain words, and the user's work is kept."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256

import httpx
import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Route, expect

from benchmarks.gpu_like import command
from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import Server, serving
from tests.service.test_lifecycle import wait_for
from tests.service.transports.http.playground.conftest import Visit
from tests.service.transports.http.playground.visitor import Visitor

KEY = "correct horse"
SLOW = command("--canvases", "1", "--constant", "500", "--roi", "0")
JARGON = re.compile(r"\b(4\d\d|5\d\d|HTTP|status|JSON|undefined|null|NaN)\b")


def encoded(width: int, height: int, kind: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "teal").save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    """A service that takes little, and from those alone who have a key."""
    digest = sha256(KEY.encode()).hexdigest()
    with serving(max_boxes=2, max_image_bytes=200_000, max_image_pixels=500_000, api_keys=digest) as server:
        yield server


def said(visitor: Visitor, *words: str) -> None:
    problem = visitor.problem()
    for word in words:
        assert word in problem, problem
    assert not JARGON.search(problem), problem


@pytest.mark.parametrize(
    ("name", "data", "media_type", "words"),
    [
        ("notes.txt", b"hello", "text/plain", ("notes.txt", "JPEG, PNG, WebP")),
        ("moving.gif", encoded(9, 9, "GIF"), "image/gif", ("moving.gif", "JPEG, PNG, WebP")),
        ("broken.jpg", b"\xff\xd8\xffnothing", "image/jpeg", ("broken.jpg", "damaged, or not a picture")),
    ],
)
def test_a_file_that_is_no_image_is_reported(
    visitor: Visitor, name: str, data: bytes, media_type: str, words: tuple[str, ...]
) -> None:
    visitor.take(name, data, media_type)
    said(visitor, *words)
    assert visitor.page.locator("#empty").is_visible()
    visitor.page.get_by_role("button", name="Close").click()
    assert visitor.page.get_by_role("alert").is_hidden()


def test_an_image_type_that_only_the_browser_reads_is_reported(visitor: Visitor) -> None:
    """A GIF that calls itself a JPEG: only the service finds out, and answers 415."""
    visitor.take("moving.jpg", encoded(300, 200, "GIF"), "image/jpeg")
    visitor.page.get_by_role("button", name="Add a box").click()
    said(visitor, "Not a kind of picture", "JPEG, PNG and WebP")


def test_a_key_is_asked_for_and_kept_while_the_tab_is_open(visit: Visit, strict: Server) -> None:
    visitor = visit(strict.url, keys=["wrong", KEY])
    wanted, unknown = visitor.asked_for_a_key
    assert "This service wants an API key" in wanted
    assert "It doesn’t know the one that was sent" in unknown
    assert visitor.page.get_by_role("alert").is_hidden()
    assert len(visitor.take_sample()["instances"]) == 2
    line = visitor.page.locator("#command").inner_text()
    assert KEY not in line, "the line is for showing and pasting"
    run = subprocess.run(line, shell=True, env=os.environ | {"HISEG_API_KEY": KEY}, capture_output=True, check=True)
    assert len(json.loads(run.stdout)["instances"]) == 2
    visitor.page.reload()
    assert len(visitor.take_sample()["instances"]) == 2


def test_an_image_over_the_limit_is_reported(visit: Visit, strict: Server) -> None:
    visitor = visit(strict.url, keys=[KEY])
    visitor.take_sample()
    before = visitor.drawn()
    visitor.page.get_by_role("button", name="Add a box").click()
    said(visitor, "Too many boxes", "There are 3; this service takes 2")
    assert np.array_equal(visitor.drawn(), before), "the masks that were there stay"
    visitor.masked(lambda: visitor.page.get_by_role("button", name="Remove Person 3").click())
    assert visitor.page.get_by_role("alert").is_hidden()

    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(noise).save(file, "PNG")
    visitor.take("noise.png", file.getvalue(), "image/png")
    said(visitor, "The file is too large", "1 MiB")
    visitor.take("wide.png", encoded(1000, 600, "PNG"), "image/png")
    visitor.page.get_by_role("button", name="Add a box").click()
    said(visitor, "too many pixels", "1 megapixels; up to 0.5 are taken")


def test_a_box_that_cannot_be_used_is_named_and_selected(visitor: Visitor) -> None:
    """The page makes no such box, so one is bent on its way out; the answer is the service's own."""
    visitor.take_sample()

    def bend(route: Route) -> None:
        route.continue_(url=route.request.url.replace("526,18,949,512", "526,18,26,512"))

    visitor.page.route("**/v1/segment*", bend)
    visitor.page.get_by_label("Threshold").fill("0.6")
    said(visitor, "Box 2 can’t be used", "is empty or reversed")
    assert visitor.page.locator(".box").nth(1).get_attribute("aria-pressed") == "true"


@pytest.mark.alone
def test_a_request_to_a_busy_service_is_repeated(visit: Visit, photo: bytes) -> None:
    with serving(SLOW, max_wait_ms=1) as server, others(server, photo, 2) as gone:  # one of two is always inside
        visitor = visit(server.url)
        visitor.page.locator("[data-do=sample]:visible").click()
        said(visitor, "The service is busy", "Next try in 1 s")
        gone()
        visitor.page.locator("#timing").wait_for()
        assert visitor.page.get_by_role("alert").is_hidden()
        assert visitor.drawn().any()


STARTING = """
import itertools, threading, typer
from benchmarks import gpu_like
from hiseg.transports.http import app
asked, often, run, say = itertools.count(1), threading.Event(), gpu_like.GpuLike.run, app.models_served
def told(*about):
    if next(asked) == 2:
        often.set()
    return say(*about)
def waits(self, batch):
    often.wait()
    return run(self, batch)
gpu_like.GpuLike.run, app.models_served = waits, told
typer.run(gpu_like.main)
"""
"""A service whose engine is ready once the page has asked twice."""


def test_the_page_waits_for_a_service_that_is_starting(visit: Visit) -> None:
    starting = (sys.executable, "-c", STARTING, "--canvases", "1")
    process = subprocess.Popen(starting, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "until then" in line)
        visitor = visit(line.split("until then ")[1].split()[0])
        assert len([url for url in visitor.requests if url.endswith("/v1/info")]) > 1
        assert visitor.page.get_by_text("ready · gpu_like").is_visible()
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


@contextlib.contextmanager
def others(server: Server, photo: bytes, count: int) -> Iterator[Callable[[], None]]:
    """Other callers, who ask again and again; calling what is given sends them away."""
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not stop.is_set() and server.process.poll() is None:
                with contextlib.suppress(httpx.TransportError):
                    client.post("/v1/segment?boxes=", content=photo, headers={"content-type": "image/jpeg"})

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()

    def leave() -> None:
        stop.set()
        for thread in threads:
            thread.join()

    try:
        with httpx.Client(base_url=server.url) as client:
            wait_for(client, f"hiseg_requests_in_progress {count:.1f}")
        yield leave
    finally:
        leave()


@pytest.mark.alone
def test_draining_then_gone(visit: Visit, photo: bytes) -> None:
    with serving(SLOW, batch_budget_ms=1) as server:
        visitor = visit(server.url)
        visitor.take_sample()
        drawn = visitor.drawn()
        with others(server, photo, 4):
            server.process.send_signal(signal.SIGTERM)
            while httpx.get(server.url + "/readyz").status_code == 200:
                pass  # it has yet to notice
            visitor.page.get_by_label("Threshold").fill("0.6")
            said(visitor, "The service is shutting down")
        server.process.wait(20)
        visitor.page.get_by_role("button", name="Try now").click()
        expect(visitor.page.get_by_role("alert")).to_contain_text("Can’t reach the service")
        assert not JARGON.search(visitor.problem())
        assert np.array_equal(visitor.drawn(), drawn), "the masks that were there stay"


@pytest.mark.parametrize(
    ("status", "problem", "words"),
    [
        (503, {"reason": "NO_ENGINE", "detail": "no engine answers"}, ("can’t make masks now", "doesn’t answer")),
        (503, {"reason": "STARTING", "detail": "wait"}, ("The service is starting",)),
        (503, {"reason": "SHUTTING_DOWN", "detail": "the models are unloaded"}, ("The service is shutting down",)),
        (503, {"reason": "ENGINE_FAILED", "detail": "2 servers went down"}, ("couldn’t finish that",)),
        (503, None, ("Can’t reach the service", "What stands before it")),
        (502, None, ("Can’t reach the service", "What stands before it")),
        (429, {"reason": "KEY_RATE"}, ("Too many requests with this key", "Next try in 9 s")),
        (413, None, ("That is too large", "What stands before the service")),
        (413, {"reason": "SIDE_TOO_LONG", "limit": 1_000_000, "value": 2_000_000}, ("2,000,000 pixels",)),
        (413, {"reason": "TOO_MUCH_MEMORY", "detail": "it takes too much memory"}, ("it takes too much memory.",)),
        (422, {"reason": "UNDECODABLE_IMAGE", "detail": "x"}, ("The picture is damaged",)),
        (422, {"reason": "INVALID_REQUEST", "field": "image", "detail": "no image"}, ("doesn’t take that",)),
    ],
)
def test_the_reason_decides_and_not_the_words(
    visitor: Visitor, status: int, problem: dict[str, object] | None, words: tuple[str, ...]
) -> None:
    """Answers that a service, or a proxy before it, gives rarely; a proxy's are no JSON."""

    def answer(route: Route) -> None:
        body = "<html>Sorry</html>" if problem is None else json.dumps(problem)
        kind = "text/html" if problem is None else "application/problem+json"
        route.fulfill(status=status, body=body, headers={"content-type": kind, "retry-after": "9"})

    visitor.page.route("**/v1/segment*", answer)
    visitor.page.locator("[data-do=sample]:visible").click()
    said(visitor, *words)
