"""Boxes are drawn by mouse and finger, and masks appear in the right place."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Route, expect

from tests.service.transports.http.playground.conftest import Visit
from tests.service.transports.http.playground.visitor import Visitor, union

COLLINS, HOPPER = (22, 15, 365, 512), (526, 18, 949, 512)
SOMEBODY, NOBODY = (130, 225), (60, 440)
"""Row and column of a pixel in a face, and in a wall."""


def test_the_sample_comes_with_its_boxes_and_masks(visitor: Visitor) -> None:
    answer = visitor.take_sample()
    assert visitor.boxes() == [COLLINS, HOPPER]
    assert np.array_equal(visitor.drawn(), union(answer))
    service = visitor.page.request.get(visitor.url + "/v1/info").json()
    *rgb, alpha = visitor.layer()[SOMEBODY]
    assert np.allclose(rgb, list(bytes.fromhex(service["palette"][0][1:])), atol=3), "as overlay draws"
    assert alpha == pytest.approx(service["overlay_opacity"] * 255, abs=2)
    assert not visitor.layer()[NOBODY].any()
    page = visitor.page
    assert page.locator("#about").inner_text() == "people.jpg · 949 × 512"
    assert page.get_by_role("status").last.inner_text().startswith("2 masks in ")
    assert page.locator("#legend li").count() == len(answer["timings_ms"]) + 1
    for stage in answer["timings_ms"]:
        assert page.locator(f"#stages [data-stage={stage}]").count() == 1
    for entry, line in zip(answer["instances"], page.locator("#people .facts").all(), strict=True):
        assert line.inner_text() == f"{entry['score']:.0%} sure · {entry['area']:,} px"


def test_a_box_drawn_by_mouse_gets_a_mask(visitor: Visitor) -> None:
    visitor.take_sample()
    visitor.page.get_by_role("button", name="Clear").click()
    expect(visitor.page.locator(".box")).to_have_count(0)
    assert not visitor.drawn().any()
    answer = visitor.masked(lambda: visitor.drag(*COLLINS))
    assert visitor.boxes() == [pytest.approx(COLLINS, abs=1.5)]
    assert np.array_equal(visitor.drawn(), union(answer))
    assert visitor.drawn()[SOMEBODY]
    assert not visitor.drawn()[NOBODY]
    assert not visitor.drawn()[:, 400:].any()


def test_a_box_is_moved_resized_and_removed_by_mouse(visitor: Visitor) -> None:
    visitor.take_sample()
    visitor.click(*SOMEBODY[::-1])
    assert visitor.page.get_by_role("button", name="Person 1: 22").get_attribute("aria-pressed") == "true"
    moved = visitor.masked(lambda: visitor.drag(200, 300, 230, 290))
    assert visitor.boxes() == [pytest.approx((52, 5, 395, 502), abs=2), HOPPER]
    assert moved["instances"][0]["box"] == list(visitor.boxes()[0])
    x1, y1, x2, y2 = visitor.boxes()[0]
    resized = visitor.masked(lambda: visitor.drag(x2, y2, x2 - 40, y2 - 100))
    assert visitor.boxes()[0] == pytest.approx((x1, y1, x2 - 40, y2 - 100), abs=2)
    assert np.array_equal(visitor.drawn(), union(resized))
    visitor.masked(lambda: visitor.page.get_by_role("button", name="Remove Person 1").click())
    assert visitor.boxes() == [HOPPER]
    assert not visitor.drawn()[:, :500].any()


def test_a_new_box_can_be_drawn_inside_another(visitor: Visitor) -> None:
    visitor.take_sample()
    visitor.masked(lambda: visitor.drag(120, 100, 300, 300))
    assert visitor.boxes()[2] == pytest.approx((120, 100, 300, 300), abs=2)
    visitor.click(*NOBODY[::-1])
    visitor.click(200, 200)
    pressed = [box.get_attribute("aria-pressed") for box in visitor.page.locator(".box").all()]
    assert pressed == ["false", "false", "true"], "the smaller one lies in front"


def test_escape_cancels_a_drag(visitor: Visitor) -> None:
    visitor.take_sample()
    mouse = visitor.page.mouse
    mouse.move(*visitor.screen(390, 20))
    mouse.down()
    mouse.move(*visitor.screen(500, 200))
    expect(visitor.page.locator(".box")).to_have_count(3)
    visitor.page.keyboard.press("Escape")
    mouse.up()
    assert visitor.boxes() == [COLLINS, HOPPER]


def test_only_the_last_request_is_drawn(visitor: Visitor) -> None:
    """While the mouse moves the page asks now and then; each new question calls the one before off."""
    visitor.take_sample()
    visitor.click(*SOMEBODY[::-1])
    mouse = visitor.page.mouse
    mouse.move(*visitor.screen(200, 300))
    mouse.down()
    asked = len([url for url in visitor.requests if "/v1/segment" in url])
    for step in range(40):
        mouse.move(*visitor.screen(200 + step, 300 - step / 4))
    answer = visitor.masked(mouse.up)
    assert len([url for url in visitor.requests if "/v1/segment" in url]) - asked <= 10
    assert answer["instances"][0]["box"] == list(visitor.boxes()[0])
    assert np.array_equal(visitor.drawn(), union(answer))


def test_a_finger_draws_moves_and_selects(visit: Visit) -> None:
    visitor = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.take_sample()
    visitor.masked(lambda: visitor.page.get_by_role("button", name="Remove Person 1").click())
    wire = visitor.context.new_cdp_session(visitor.page)

    def finger(*places: tuple[float, float]) -> None:
        visitor.page.locator("#boxes").scroll_into_view_if_needed()
        for index, place in enumerate(places):
            x, y = visitor.screen(*place)
            kind = "touchMove" if index else "touchStart"
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    answer = visitor.masked(lambda: finger((22, 15), (100, 200), (365, 500)))
    assert visitor.boxes()[1] == pytest.approx((22, 15, 365, 500), abs=4)
    assert np.array_equal(visitor.drawn(), union(answer))
    visitor.masked(lambda: finger((200, 300), (210, 290), (230, 280)))
    assert visitor.boxes()[1] == pytest.approx((52, 0, 395, 485), abs=5)
    finger((700, 300))
    assert visitor.page.locator(".box").first.get_attribute("aria-pressed") == "true"


def test_everybody_at_once(visitor: Visitor) -> None:
    visitor.take_sample()
    answer = visitor.masked(lambda: visitor.page.get_by_label("Everybody", exact=True).check())
    visitor.page.get_by_role("button", name="Everybody", exact=True).wait_for()
    assert visitor.page.locator(".box").count() == 0
    assert visitor.drawn().sum() == answer["foreground"]["area"]
    visitor.masked(lambda: visitor.page.get_by_label("Each person").check())
    assert visitor.boxes() == [COLLINS, HOPPER]


def test_threshold_smoothing_colour_and_opacity(visitor: Visitor) -> None:
    page = visitor.page
    plain = visitor.take_sample()
    strict = visitor.masked(lambda: page.get_by_label("Threshold").fill("0.9"))
    assert strict["instances"][0]["area"] < plain["instances"][0]["area"]
    page.get_by_label("Colour of Person 1").fill("#ff0000")
    page.get_by_label("Opacity of Person 1").fill("100")
    assert visitor.layer()[SOMEBODY].tolist() == [255, 0, 0, 255]
    page.get_by_label("Opacity of Person 1").fill("0")
    assert not visitor.drawn()[:, :500].any()
    assert visitor.drawn()[:, 526:].any()


def test_only_what_the_service_has_is_offered(visitor: Visitor) -> None:
    info = visitor.page.request.get(visitor.url + "/v1/info").json()
    visitor.take_sample()
    options = visitor.page.locator("#options")
    assert options.get_by_role("radio").count() == len(info["modes"])
    choices = [name for name in info["models"] if name != info["foreground_model"]]
    assert options.get_by_label("Model").count() == (len(choices) > 1)
    smoothing = options.get_by_label("Smoothing").locator("option")
    assert [option.get_attribute("value") for option in smoothing.all()] == info.get("smoothings", [])


def test_models_are_offered_by_name(visitor: Visitor) -> None:
    """Two of one variant are two choices, whatever characters a name has; the default is asked for by no name."""
    page, own = visitor.page, "my model & co"

    def with_another(route: Route) -> None:
        info = route.fetch().json()
        route.fulfill(json=info | {"models": [*info["models"], own]})

    page.route("**/v1/info", with_another)
    page.reload()
    visitor.take_sample()
    assert "model=" not in visitor.answers_to_segment()[-1].url
    with page.expect_response(lambda answer: "model=" in answer.url) as asked:
        page.get_by_label("Model").select_option(own)
    assert parse_qs(urlsplit(asked.value.url).query)["model"] == [own]
    assert asked.value.json()["value"] == own, "the service here has no such model, and was asked for it by its name"
