"""Photos are found under the names that other machines gave them, and none is outside of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from hiseg.core.image_folder import ImageFolder


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    for name in ("a.jpg", "day 1/b.jpg", "cam1/frame.jpg", "cam2/frame.jpg", "Ünï.JPG", "100%.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (50, 40)).save(path)
    return ImageFolder(tmp_path / "photos")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("images/train/a.jpg", "a.jpg"),
        ("/home/somebody/data/a.jpg", "a.jpg"),
        ("C:\\data\\images\\a.jpg", "a.jpg"),
        ("..\\images\\a.jpg", "a.jpg"),
        ("https://host/bucket/a.jpg?key=1", "a.jpg"),
        ("A.JPG", "a.jpg"),
        ("day 1/b.jpg", "day 1/b.jpg"),
        ("day%201/b.jpg", "day 1/b.jpg"),
        ("day 1\\b.jpg", "day 1/b.jpg"),
        ("b.jpg", "day 1/b.jpg"),
        ("cam2/frame.jpg", "cam2/frame.jpg"),
        ("x/cam2/frame.jpg", "cam2/frame.jpg"),
        ("u\u0308ni\u0308.jpg", "Ünï.JPG"),
        ("100%.png", "100%.png"),
    ],
)
def test_names_of_other_machines(folder: ImageFolder, name: str, found: str) -> None:
    path = folder.find(name)
    assert path is not None
    assert path.samefile(folder.folder / found)


@pytest.mark.parametrize("name", ["frame.jpg", "c.jpg", "cam3/frame.jpg", "cam1", "a" * 5000, "a\0.jpg", "", "/"])
def test_what_is_not_there_or_may_be_several_is_not_found(folder: ImageFolder, name: str) -> None:
    assert folder.find(name) is None


@pytest.mark.parametrize("name", ["../outside.jpg", "..\\outside.jpg", "%2e%2e/outside.jpg", "a/../../outside.jpg"])
def test_no_name_leads_out_of_the_folder(folder: ImageFolder, name: str) -> None:
    outside = folder.folder.parent / "outside.jpg"
    outside.write_bytes(b"")
    assert folder.find(name) is None
    assert folder.find(str(outside)) is None


def test_a_link_to_nowhere_and_a_pipe_are_no_photos(folder: ImageFolder) -> None:
    (folder.folder / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder.folder / "pipe.jpg")
    assert [folder.find(name) for name in ("gone.jpg", "pipe.jpg", "Gone.jpg")] == [None] * 3
