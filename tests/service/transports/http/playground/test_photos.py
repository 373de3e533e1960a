"""Photos of all kinds line up with their masks: dropped, pasted, rotated, very large."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import SAMPLE
from hiseg.core.image import Pixels
from tests.service.transports.http.playground.visitor import Visitor, union

AS_A_FILE = """([text, name]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const carried = new DataTransfer();
    if (name) carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
    return carried;
}"""

SHOWN = """() => {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [photo.naturalWidth, photo.naturalHeight];
    copy.getContext("2d").drawImage(photo, 0, 0);
    return copy.toDataURL();
}"""


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted(visitor: Visitor, photo: bytes, how: str) -> None:
    page = visitor.page
    carried = page.evaluate_handle(AS_A_FILE, [base64.b64encode(photo).decode(), "mine.jpg"])
    made = {
        "drop": "dataTransfer => dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }))",
        "paste": "clipboardData => dispatchEvent(new ClipboardEvent('paste', { clipboardData }))",
    }
    page.evaluate(made[how], carried)
    page.get_by_text("mine.jpg · 949 × 512").wait_for()
    answer = visitor.masked(lambda: visitor.drag(22, 15, 365, 510))
    assert np.array_equal(visitor.drawn(), union(answer))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_masks_line_up_with_rotated_photos(visitor: Visitor, kind: str, orientation: int) -> None:
    """Stored lying or on its head, shown upright by browser and service alike."""
    turn = {3: PIL.Image.Transpose.ROTATE_180, 6: PIL.Image.Transpose.ROTATE_90}[orientation]
    file = io.BytesIO()
    with PIL.Image.open(SAMPLE) as upright:
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        upright.transpose(turn).save(file, kind, exif=exif)
    visitor.take(f"turned.{kind.lower()}", file.getvalue(), f"image/{kind.lower()}")
    visitor.page.get_by_text("949 × 512").wait_for()
    with PIL.Image.open(SAMPLE) as upright:
        difference = np.abs(seen(visitor).astype(int) - np.asarray(upright))
    assert difference.mean() < 12
    answer = visitor.masked(lambda: visitor.drag(22, 15, 365, 510))
    assert (answer["image"]["width"], answer["image"]["height"]) == (949, 512)
    assert np.array_equal(visitor.drawn(), union(answer))
    assert visitor.drawn()[130, 225], "the face is where one sees it"


def seen(visitor: Visitor) -> Pixels:
    """The photo as the browser shows it, uint8 ``[H, W, 3]``."""
    _, _, picture = visitor.page.evaluate(SHOWN).partition(",")
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"))


def test_a_large_photo_is_shown_smaller_and_asked_about_in_its_own_pixels(visitor: Visitor) -> None:
    file = io.BytesIO()
    with PIL.Image.open(SAMPLE) as small:
        small.resize((949 * 5, 512 * 5)).save(file, "JPEG")
    visitor.take("large.jpg", file.getvalue(), "image/jpeg")
    visitor.page.get_by_text("4745 × 2560").wait_for()
    answer = visitor.masked(lambda: visitor.drag(22 * 5, 15 * 5, 365 * 5, 510 * 5))
    assert answer["instances"][0]["box"] == pytest.approx((110, 75, 1825, 2550), abs=6)
    drawn = visitor.drawn()
    assert drawn.shape == (1105, 2048)
    theirs = np.asarray(PIL.Image.fromarray(union(answer)).resize((2048, 1105), PIL.Image.Resampling.NEAREST))
    assert np.logical_and(drawn, theirs).sum() / np.logical_or(drawn, theirs).sum() > 0.99
