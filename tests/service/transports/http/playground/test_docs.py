"""The page of the API, in a real browser, under a policy that lets it do nothing but what it is for."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Browser

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import Server


def test_requests_can_be_tried_out_and_nothing_is_blocked(browser: Browser, server: Server) -> None:
    complaints: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url + "/docs")
        operation = page.locator("#operations-segment-segment")
        operation.locator(".opblock-summary-control").click()
        shown = operation.inner_text()
        assert "null" not in shown
        operation.get_by_text("Try it out").click()
        assert page.locator(".auth-wrapper .authorize").is_visible()
        operation.get_by_text("Execute").click()
        answer = operation.locator(".live-responses-table")
        assert "coco_rle" in answer.inner_text(), "the example is sent as it stands"
        operation.get_by_text("Clear").click()
        operation.locator("select[aria-label='Request content type']").select_option("application/octet-stream")
        operation.locator("input[type=file]").set_input_files(SAMPLE)
        operation.locator("tr[data-param-name=boxes] input").fill("22,15,365,512")
        operation.get_by_text("Execute").click()
        answer.get_by_text("coco_rle").first.wait_for()
    assert complaints == []


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/assets/start.js", "/docs/assets/swagger-ui-bundle.js", "/openapi.json"]
)
def test_its_files_have_the_headers_of_the_playground(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    own = client.get("/").headers
    for name in ("x-content-type-options", "x-frame-options", "referrer-policy", "cross-origin-opener-policy"):
        assert answer.headers[name] == own[name]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert client.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert "<script>" not in answer.text or path.endswith("bundle.js")


@pytest.mark.parametrize("path", ["/docs/", "/v1/info/"])
def test_a_slash_too_many_leads_nowhere_else(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, path[:-1])
