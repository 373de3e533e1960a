"""Accessibility: axe finds no violation in light or dark mode, on wide or narrow screens."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.npm import installed
from tests.service.transports.http.playground.conftest import Visit

PACKAGE = "axe-core@4.14.1"
SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 860}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, installed once and kept for the next run."""
    return (installed(f"hiseg-{PACKAGE}", PACKAGE) / "axe-core" / "axe.min.js").read_text()


def barriers(page: Page, axe: str) -> list[str]:
    """What axe finds that is serious or critical."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{violation['id']} at {node['target']}: {node['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_no_accessibility_violation(visit: Visit, axe: str, screen: str, scheme: str) -> None:
    visitor = visit(**SCREENS[screen], color_scheme=scheme)
    page = visitor.page
    assert barriers(page, axe) == []
    visitor.take_sample()
    page.locator(".box").last.click()  # its handles are at the photo's very edge
    visitor.take("notes.txt", b"hello", "text/plain")
    page.get_by_role("alert").wait_for()
    assert barriers(page, axe) == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(paper) < 3 * 128) == (scheme == "dark")
    sizes = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert sizes == [page.viewport_size["width"]] * 2, "nothing sticks out sideways"  # type: ignore[index]


def test_reduced_motion_is_respected(visit: Visit) -> None:
    page = visit(reduced_motion="reduce").page
    assert page.evaluate("document.getAnimations().length") == 0
    page = visit(reduced_motion="no-preference").page
    assert page.evaluate("document.getAnimations().length") > 0
