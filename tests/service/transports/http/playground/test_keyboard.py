"""The whole playground can be used with the keyboard alone."""

from __future__ import annotations

import numpy as np

from tests.service.transports.http.playground.visitor import HEIGHT, WIDTH, Visitor, union


def test_from_the_first_tab_to_a_mask(visitor: Visitor) -> None:
    page, keys = visitor.page, visitor.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(40):
            keys.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab never came to {selector}")

    def focused() -> str:
        return str(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )

    tab_to("#empty [data-do=sample]")
    visitor.masked(lambda: keys.press("Enter"))
    tab_to("[data-do=clear]")
    keys.press("Space")
    keys.press("Shift+Tab")
    assert focused() == "Add a box"

    visitor.masked(lambda: keys.press("Enter"))
    ((x1, y1, x2, y2),) = visitor.boxes()
    assert 0 < x1 < x2 < WIDTH
    assert 0 < y1 < y2 < HEIGHT
    assert focused().startswith("Person 1")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid", "the focus can be seen"

    step = round(WIDTH / 100)
    visitor.masked(lambda: [keys.press("ArrowLeft"), keys.press("ArrowUp")])
    assert visitor.boxes() == [(x1 - step, y1 - step, x2 - step, y2 - step)]
    visitor.masked(lambda: keys.press("Shift+ArrowRight"))
    visitor.masked(lambda: keys.press("Shift+ArrowDown"))
    assert visitor.boxes() == [(x1 - step, y1 - step, x2, y2)]
    answer = visitor.masked(lambda: keys.press("Alt+ArrowRight"))
    assert visitor.boxes() == [(x1 - step + 1, y1 - step, x2 + 1, y2)]
    assert np.array_equal(visitor.drawn(), union(answer))

    # A second one: the focus goes round, and where it goes is selected.
    keys.press("Shift+Tab")
    while not focused().startswith("Add"):
        keys.press("Shift+Tab")
    visitor.masked(lambda: keys.press("Enter"))
    assert focused().startswith("Person 2")
    keys.press("Shift+Tab")
    assert focused().startswith("Person 1")
    assert page.locator(".box[aria-pressed=true]").get_attribute("aria-label") == focused()

    visitor.masked(lambda: keys.press("Delete"))
    assert len(visitor.boxes()) == 1
    assert focused().startswith("Person 1"), "who was second is first now, and has the focus"
    keys.press("Backspace")
    assert visitor.boxes() == []
    assert focused() == "Add a box"
    assert not visitor.drawn().any()


def test_boxes_stay_inside(visitor: Visitor) -> None:
    visitor.take_sample()
    visitor.page.locator(".box").last.focus()
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowDown"):
        visitor.page.keyboard.press(key)
    assert visitor.boxes()[1] == (526, 18, 949, 512)
    for _ in range(60):
        visitor.page.keyboard.press("Shift+ArrowLeft")
    x1, _, x2, _ = visitor.boxes()[1]
    assert (x1, x2) == (526, 528)
