"""A user of the playground in a real browser; positions are in image pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import PIL.Image
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response
from pycocotools import mask as coco_mask

from hiseg.core.image import BoolMask, Pixels

Corners = tuple[float, float, float, float]
WIDTH, HEIGHT = 949, 512
"""Of the sample."""


class Visitor:
    """A fresh browser profile with the page open, watched all the time.

    Args:
        context: the profile; closed at the end.
        url: of the service.
        keys: which the service asks for, given one after the other.
    """

    def __init__(self, context: BrowserContext, url: str, keys: Sequence[str] = ()) -> None:
        self.context, self.url = context, url
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.answers: list[Response] = []
        self.complaints: list[str] = []
        self.page.set_default_timeout(15_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("response", lambda answer: self.answers.append(answer))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)
        self.page.goto(url + "/")
        self.asked_for_a_key = [self._give(key) for key in keys]
        self.page.locator("#empty [data-do=sample]:enabled").wait_for()

    def _give(self, key: str) -> str:
        """Give a key when asked for it; what the page said."""
        with self.page.expect_response("**/v1/info"):
            asked = self.problem()
            field = self.page.get_by_label("API key").element_handle()
            assert field is not None
            field.fill(key)
            field.press("Enter")
        # What the page makes of the answer, be it another question, comes a little after it.
        field.wait_for_element_state("hidden")
        return asked

    def _listen(self, message: ConsoleMessage) -> None:
        # The browser says of every 4xx, 5xx and lost connection that it failed; those are what tests provoke.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def close(self) -> None:
        """Leave; the page must have asked its own service alone, and broken nothing."""
        self.context.close()
        hosts = {urlsplit(url).netloc for url in self.requests if not url.startswith(("blob:", "data:"))}
        assert hosts == {urlsplit(self.url).netloc}
        assert not self.complaints, self.complaints

    def masked(self, act: Callable[[], object]) -> dict[str, Any]:
        """Do something that changes masks; the service's answer once they are drawn."""
        with self.page.expect_response(lambda answer: "/v1/segment" in answer.url):
            act()
        self.page.locator("#frame:not(.waiting)").wait_for()
        return self.answers_to_segment()[-1].json()  # type: ignore[no-any-return]

    def answers_to_segment(self) -> list[Response]:
        return [answer for answer in self.answers if "/v1/segment" in answer.url and answer.status == 200]

    def take_sample(self) -> dict[str, Any]:
        return self.masked(lambda: self.page.locator("[data-do=sample]:visible").click())

    def take(self, name: str, data: bytes, media_type: str) -> None:
        self.page.set_input_files("#file", {"name": name, "mimeType": media_type, "buffer": data})

    def screen(self, x: float, y: float) -> tuple[float, float]:
        """Where an image pixel is in the window."""
        area = self.page.locator("#boxes").bounding_box()
        assert area is not None
        width, height = self.page.evaluate("[photo.naturalWidth, photo.naturalHeight]")
        return area["x"] + x / width * area["width"], area["y"] + y / height * area["height"]

    def drag(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Press at one place, let go at the other."""
        mouse = self.page.mouse
        mouse.move(*self.screen(x1, y1))
        mouse.down()
        mouse.move(*self.screen((x1 + x2) / 2, (y1 + y2) / 2))
        mouse.move(*self.screen(x2, y2))
        mouse.up()

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.screen(x, y))

    def boxes(self) -> list[Corners]:
        """The boxes by their accessible names."""
        names = [box.get_attribute("aria-label") or "" for box in self.page.locator(".box").all()]
        corners = (name.partition(": ")[2].replace(" to ", ", ").split(", ") for name in names)
        return [tuple(float(number) for number in row) for row in corners]  # type: ignore[misc]

    def layer(self) -> Pixels:
        """The masks as drawn, without the photo: RGBA uint8 ``[H, W, 4]``."""
        _, _, picture = self.page.evaluate("masks.toDataURL()").partition(",")
        return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(picture))))

    def drawn(self) -> BoolMask:
        """Which pixels are tinted, bool ``[H, W]``."""
        return np.asarray(self.layer()[:, :, 3] > 0)

    def problem(self) -> str:
        """What the page says has gone wrong."""
        alert = self.page.get_by_role("alert")
        alert.wait_for()
        return alert.inner_text()


def decoded(entry: dict[str, Any]) -> BoolMask:
    """The mask of an instance, or of the foreground, bool ``[H, W]``."""
    mask = entry["mask"]
    pixels = coco_mask.decode({"size": mask["size"], "counts": mask["counts"].encode()})
    return np.asarray(pixels, dtype=np.bool_)


def union(answer: dict[str, Any]) -> BoolMask:
    """Every pixel that is somebody's."""
    return np.logical_or.reduce([decoded(entry) for entry in answer["instances"]])
