"""A real headless Chromium with the playground open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser

from benchmarks.harness.serving import Server
from tests.browser import open_browser
from tests.service.transports.http.playground.visitor import Visitor

Visit = Callable[..., Visitor]
USUAL = {"viewport": {"width": 1280, "height": 860}, "reduced_motion": "reduce"}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; closed before other folders' tests, which need this thread's event loop for themselves."""
    with open_browser() as chromium:
        yield chromium


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """Opens the page, with the keys that it asks for; other options are Playwright's of a profile."""
    visitors = []

    def come(url: str = server.url, keys: Sequence[str] = (), **options: Any) -> Visitor:
        visitors.append(Visitor(browser.new_context(**(USUAL | options)), url, keys))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """One before an ordinary screen."""
    return visit()
