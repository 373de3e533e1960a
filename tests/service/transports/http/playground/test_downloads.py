"""What the playground offers for download: images, COCO JSON, and the request as a command."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from pycocotools.coco import COCO

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import SAMPLE
from tests.service.transports.http.playground.conftest import Visit
from tests.service.transports.http.playground.visitor import Visitor, decoded, union


def download(visitor: Visitor, name: str) -> tuple[str, bytes]:
    with visitor.page.expect_download() as begun:
        visitor.page.get_by_role("button", name=name).click()
    return begun.value.suggested_filename, Path(begun.value.path()).read_bytes()


def opened(data: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def test_downloads(visitor: Visitor, tmp_path: Path) -> None:
    answer = visitor.take_sample()
    name, data = download(visitor, "Picture masks drawn")
    assert name == "people-masks.png"
    with PIL.Image.open(SAMPLE) as photo:
        changed = (opened(data) != np.asarray(photo)).any(axis=2)
    assert changed[union(answer)].mean() > 0.9

    name, data = download(visitor, "Label map")
    assert name == "people-labels.png"
    labels = opened(data)
    for index, entry in enumerate(answer["instances"]):
        assert np.array_equal(labels == index + 1, decoded(entry))

    name, data = download(visitor, "COCO JSON")
    assert name == "people-coco.json"
    file = tmp_path / name
    file.write_bytes(data)
    coco = COCO(file)
    assert coco.loadImgs(1)[0]["file_name"] == "people.jpg"
    for entry, annotation in zip(answer["instances"], coco.loadAnns(coco.getAnnIds()), strict=True):
        assert np.array_equal(coco.annToMask(annotation).astype(bool), decoded(entry))
        x, y, width, height = annotation["bbox"]
        assert [x, y, x + width, y + height] == entry["box"]


def test_cut_outs(visitor: Visitor) -> None:
    answer = visitor.take_sample()
    with PIL.Image.open(SAMPLE) as picture:
        photo = np.asarray(picture)

    def is_cut_out_of(index: int, data: bytes) -> bool:
        pixels = opened(data)
        mask = decoded(answer["instances"][index])
        inside = pixels[:, :, 3] > 0
        return int(inside.sum()) == int(mask.sum()) and np.array_equal(pixels[inside][:, :3], photo[mask])

    name, data = download(visitor, "Download the cut-out of Person 2")
    assert name == "people-person-2.png"
    assert is_cut_out_of(1, data)
    downloads = []
    visitor.page.on("download", lambda begun: downloads.append(begun))
    visitor.page.get_by_role("button", name="Cut-outs").click()
    while len(downloads) < 2:
        visitor.page.wait_for_timeout(20)
    assert [begun.suggested_filename for begun in downloads] == ["people-person-1.png", "people-person-2.png"]
    assert all(is_cut_out_of(index, Path(begun.path()).read_bytes()) for index, begun in enumerate(downloads))


@pytest.fixture
def copied(visit: Visit) -> Visitor:
    """Somebody whose clipboard may be read."""
    return visit(permissions=["clipboard-read", "clipboard-write"])


def run(copied: Visitor, folder: Path) -> dict[str, object]:
    """Copy the command, paste it into a shell; the answer."""
    if shutil.which("curl") is None:
        missing("there is no curl")
    copied.page.get_by_role("button", name="Copy as curl").click()
    copied.page.get_by_role("button", name="Copied").wait_for()
    line = copied.page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_the_copied_command_gives_the_same_answer(copied: Visitor, tmp_path: Path) -> None:
    copied.take_sample()
    shown = copied.masked(lambda: copied.page.get_by_label("Threshold").fill("0.7"))
    assert run(copied, tmp_path)["instances"] == shown["instances"]


def test_the_command_survives_any_file_name(copied: Visitor, tmp_path: Path, photo: bytes) -> None:
    name = 'it\'s $HOME & "more".jpg'
    (tmp_path / name).write_bytes(photo)
    copied.take(name, photo, "image/jpeg")
    shown = copied.masked(lambda: copied.page.get_by_label("Everybody", exact=True).check())
    assert run(copied, tmp_path)["foreground"] == shown["foreground"]


def test_without_a_clipboard_the_old_way_is_taken(copied: Visitor) -> None:
    """Where the page comes over http from another machine, browsers hide the clipboard."""
    copied.take_sample()
    line = copied.page.locator("#command").inner_text()
    copied.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    copied.page.get_by_role("button", name="Copy as curl").click()
    copied.page.get_by_role("button", name="Copied").wait_for()
    other = copied.context.new_page()
    other.goto(copied.url)
    assert other.evaluate("navigator.clipboard.readText()") == line
