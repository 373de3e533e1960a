"""Images are found under the names that other machines gave them, and have the size at which they are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiseg_training.data.image_files import ORIENTATION, ImageFolder, shown_size


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    for name in ("a.jpg", "day 1/b.jpg", "cam1/frame.jpg", "cam2/frame.jpg", "Ünï.JPG", "100%.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (50, 40)).save(path)
    return ImageFolder(tmp_path)


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_at_which_images_are_shown(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / "a.jpg"
    Image.new("RGB", (50, 40)).save(path, exif=exif)
    assert shown_size(path) == ((50, 40) if orientation < 5 else (40, 50))


def test_what_is_no_image_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(np.arange(99, dtype=np.uint8).tobytes())
    assert shown_size(path) is None
