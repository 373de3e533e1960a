"""Photos are found, checked and outlined; a run that was ended at any moment goes on, and ends like any other."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiseg.client.result import Instance, Result
from hiseg.core.command_errors import CommandError
from hiseg.core.result import ModelRef
from hiseg.photos.annotate import Form, annotate, locate
from hiseg.photos.coco_boxes import Photo, read_document
from hiseg.photos.done import Done, open_done, partial_path
from hiseg.photos.masker import Rows
from hiseg.photos.pipeline import Failure, PhotoError
from hiseg.photos.segmentation import SegmentationFormat

FORM = Form(SegmentationFormat.COCO_RLE, 1.0)
ORIENTATION = 0x0112
T = TypeVar("T")


class FakeMasker:
    """Gives masks that tell the box; its model may change, and it may break down.

    Args:
        model: as it is known before.
        versions: of the model that answers, one after the other; the last one stays.
        answers: after so many no photo can be done any more.
    """

    def __init__(self, model: str | None = "m/1", versions: str = "1", answers: int = 1000) -> None:
        self.model = model
        self.answered: list[list[list[float]]] = []
        self._versions = versions
        self._answers = answers

    async def segment(self, photo: bytes, boxes: Rows | None, write: Callable[[Result], T]) -> T:
        await asyncio.sleep(0)
        assert boxes is not None
        if len(self.answered) >= self._answers:
            raise CommandError("the server is gone")
        if boxes[0][0] == 13:
            raise PhotoError("damaged")
        version = self._versions[min(len(self.answered), len(self._versions) - 1)]
        self.answered.append([list(box) for box in boxes])
        found = tuple(Instance((0, 0, 1, 1), box[0] / 100, int(box[0]), f"{box}", (40, 50)) for box in boxes)
        return write(Result(50, 40, (), ModelRef("m", version, "b0"), found, None, {}))


def picture(width: int = 50, height: int = 40, orientation: int = 1) -> bytes:
    file, exif = io.BytesIO(), PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    PIL.Image.new("RGB", (width, height)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def photos_of(count: int, **changes: Any) -> list[Photo]:
    """So many photos with one person each, whose box begins at the photo's number."""
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 50, "height": 40} | changes for n in range(count)]
    people = [{"image_id": n, "category_id": 1, "bbox": [n, 10, 20, 20]} for n in range(count)]
    content = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
    return read_document(content, Path("a.json")).photos


def run(photos: list[Photo], folder: Path, masker: FakeMasker, done: Done) -> list[Failure]:
    located, missing = locate(photos, folder)
    return missing + asyncio.run(annotate(located, masker, FORM, done, lambda failed: None))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.integers(0, 12), max_size=4), cut=st.integers(0, 200))
def test_a_run_goes_on_wherever_it_was_ended(tmp_path: Path, answers: list[int], cut: int) -> None:
    output, photos = tmp_path / "masks.json", photos_of(20)
    partial_path(output).unlink(missing_ok=True)
    for photo in photos:
        if not (tmp_path / photo.name).exists():
            (tmp_path / photo.name).write_bytes(picture())
    whole = Done(None, "")
    failed = run(photos, tmp_path, FakeMasker(), whole)
    assert [str(failure) for failure in failed] == ["13.jpg: damaged"]
    for count in answers:
        masker = FakeMasker(answers=count)
        with open_done(output, "same") as done, suppress(CommandError):
            run(photos, tmp_path, masker, done)
        if partial_path(output).exists():
            content = partial_path(output).read_bytes()
            partial_path(output).write_bytes(content[: max(1, len(content) - cut)])
    last = FakeMasker()
    with open_done(output, "same") as done:
        before = len(done.entries)
        assert run(photos, tmp_path, last, done) == failed
        assert dict(sorted(done.entries.items())) == dict(sorted(whole.entries.items()))
    assert len(last.answered) == 19 - before


def test_other_options_and_other_files_are_done_anew(tmp_path: Path) -> None:
    output, photos = tmp_path / "masks.json", photos_of(5)
    for photo in photos:
        (tmp_path / photo.name).write_bytes(picture())
    for fingerprint, change, again in (("a", "", 5), ("a", "", 0), ("a", "3.jpg", 1), ("b", "", 5)):
        if change:
            (tmp_path / change).write_bytes(picture() + b"\0")
        masker = FakeMasker()
        with open_done(output, fingerprint) as done:
            assert done.began_anew == (fingerprint == "b")
            run(photos, tmp_path, masker, done)
        assert len(masker.answered) == again


def test_another_model_does_all_again_whether_it_is_known_before_or_not(tmp_path: Path) -> None:
    photos = photos_of(12)
    for photo in photos:
        (tmp_path / photo.name).write_bytes(picture())
    done = Done(None, "")
    run(photos, tmp_path, FakeMasker("m/1", "1"), done)
    other = FakeMasker("m/2", "2")
    run(photos, tmp_path, other, done)
    assert len(other.answered) == 12
    rolling = FakeMasker(None, "2" * 5 + "3")
    done.forget(lambda entry: entry.photo > 1)
    run(photos, tmp_path, rolling, done)
    assert {entry.model for entry in done.entries.values()} == {"m/3"}
    assert len(rolling.answered) == 10 + 2 + 5


@pytest.mark.parametrize(
    ("data", "size", "told"),
    [
        (b"", {}, "the image is empty"),
        (b"GIF89a", {}, "this is a GIF image"),
        (picture()[:20], {}, "JPEG image cannot be decoded"),
        (picture(100, 80), {}, "is 100 x 80 pixels, and by the boxes' file 50 x 40: the boxes are of another photo"),
        (picture(50, 40, 6), {}, "40 x 50 .* 50 x 40: its EXIF orientation turns it"),
        (picture(50, 41), {"height": None}, ""),
        (picture(40, 50, 6), {}, ""),
        (picture(50, 40, 3), {}, ""),
        (picture(5, 5), {"width": 0, "height": 0}, "no box has a pixel of it inside"),
    ],
)
def test_photos_must_be_those_that_the_boxes_were_drawn_on(
    tmp_path: Path, data: bytes, size: dict[str, Any], told: str
) -> None:
    (tmp_path / "0.jpg").write_bytes(data)
    failures = run(photos_of(1, **size), tmp_path, FakeMasker(), Done(None, ""))
    assert bool(failures) == bool(told)
    if told:
        with pytest.raises(AssertionError, match=told):
            raise AssertionError(str(failures[0]))


def test_all_boxes_are_sent_as_they_are_and_those_outside_get_no_mask(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    boxes = [[1.5, 2, 3, 4], [60, 2, 3, 4], [-5, -5, 30, 30], [49.5, 2, 30, 1.5]]
    people = [{"image_id": 1, "category_id": 1, "bbox": box} for box in boxes]
    content = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": people, "categories": None}
    masker, done = FakeMasker(), Done(None, "")
    assert not run(read_document(content, Path("a.json")).photos, tmp_path, masker, done)
    assert masker.answered == [boxes]
    (entry,) = done.entries.values()
    assert [one.place for one in entry.people] == [0, 2]
    assert entry.outside == [1, 3]


def test_photos_that_are_missing_or_meant_twice_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(picture())
    first, second, third = photos_of(3)
    twice = [first, Photo(1, "day 1/0.jpg", second.size, second.people), third]
    masker = FakeMasker()
    told = [str(failure) for failure in run(twice, tmp_path, masker, Done(None, ""))]
    assert f"would be {tmp_path / '0.jpg'}, as 0.jpg is: it can't be both" in told[0]
    assert f"2.jpg: is not in {tmp_path}" in told[1]
    assert len(masker.answered) == 1
    with pytest.raises(CommandError, match=r"none of the 2 photos can be had; the first, 1.jpg: is not in"):
        locate([second, third], tmp_path)
    with pytest.raises(CommandError, match=r"--images: .* is no folder"):
        locate([first], tmp_path / "0.jpg")


@pytest.mark.parametrize("content", ["[]\n", '{"of": "something else"}\n', "7\n"])
def test_what_lies_where_it_would_be_remembered_is_left_alone(tmp_path: Path, content: str) -> None:
    output = tmp_path / "masks.json"
    partial_path(output).write_text(content)
    with pytest.raises(CommandError, match="isn't of hiseg annotate; move it away"), open_done(output, "a"):
        pass
    assert partial_path(output).read_text() == content


def test_lines_that_were_tampered_with(tmp_path: Path) -> None:
    output = tmp_path / "masks.json"
    (tmp_path / "0.jpg").write_bytes(picture())
    with open_done(output, "a") as done:
        run(photos_of(1), tmp_path, FakeMasker(), done)
    with partial_path(output).open("a") as file:
        file.write(json.dumps([1, 2]) + "\n")
    with pytest.raises(CommandError, match="isn't as hiseg writes it; remove it"), open_done(output, "a"):
        pass


def test_nothing_stays_behind_of_a_run_that_did_nothing(tmp_path: Path) -> None:
    output = tmp_path / "masks.json"
    with open_done(output, "a"):
        assert partial_path(output).exists()
    assert not partial_path(output).exists()
