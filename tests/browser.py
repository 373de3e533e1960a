"""Debian's Chromium without a window, and what it shows of an image file."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import PIL.Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.harness.availability import missing
from hiseg.core.image import Pixels

_SHOW = """async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([bytes]));
    try {
        await image.decode();
    } catch {
        return null;
    }
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [image.naturalWidth, image.naturalHeight];
    copy.getContext("2d").drawImage(image, 0, 0);
    URL.revokeObjectURL(image.src);
    return copy.toDataURL();
}"""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start it, and close it at the end."""
    program = shutil.which("chromium")
    if program is None:
        missing("there is no chromium")
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []  # root can't have one
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield chromium
        chromium.close()


def shown(page: Page, data: bytes) -> Pixels | None:
    """The pixels of an image file as the browser shows it, RGB uint8 ``[H, W, 3]``; None if it shows nothing."""
    drawn = page.evaluate(_SHOW, base64.b64encode(data).decode())
    if drawn is None:
        return None
    with PIL.Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))
