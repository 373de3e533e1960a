"""Finds the image files that annotations name, and reads their sizes.

Names come from other machines: with folders that are not here, with backslashes, percent signs, as URLs, in other case.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np

from hiseg.core.errors import HisegError
from hiseg.core.image import Pixels
from hiseg.images.encoded import inspect
from hiseg.images.limits import UNLIMITED

_HEAD_BYTES = 2**17
"""Bytes in which the header of almost every image is."""


class ImageFolder:
    """A folder with images, anywhere below it.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """Return the file that an annotation file calls ``name``; None if there is none, or several that may be meant.

        The name as it stands goes first, then ever shorter ends of it, then a file of that name anywhere below, with
        other capitals and other forms of accents too.
        """
        if _is_file(path := self.folder / name):
            return path
        for spelling in dict.fromkeys((name, unquote(name), unquote(name.partition("?")[0]))):
            parts = [part for part in spelling.replace("\\", "/").split("/") if part not in ("", ".", "..")]
            for start in range(len(parts)):
                if _is_file(path := self.folder.joinpath(*parts[start:])):
                    return path
        for spelling in (name, unquote(name.partition("?")[0])):
            found = self._below[_plain(spelling.replace("\\", "/").rpartition("/")[2])]
            if len(found) == 1:
                return found[0]
        return None

    @cached_property
    def _below(self) -> dict[str, list[Path]]:
        """All files below the folder, by their plain names."""
        found: dict[str, list[Path]] = defaultdict(list)
        for folder, _, names in os.walk(self.folder):
            for name in names:
                found[_plain(name)].append(Path(folder, name))
        return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a character that no name can have
        return False


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def read_image(path: Path) -> Pixels | None:
    """Decode an image file as the service does, turned as it is shown: RGB uint8 ``[H, W, 3]``; None if it is none.

    Files of types that the service doesn't take, and damaged ones, are read as well as OpenCV can.
    """
    try:
        return inspect(path.read_bytes(), UNLIMITED).decode().pixels
    except OSError:
        return None
    except HisegError:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


def shown_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image as it is shown, turned by its EXIF orientation; None if it is no image.

    Only the file's header is read, where it is of a type that the service takes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
            try:
                image = inspect(data, UNLIMITED)
            except HisegError:
                image = inspect(data + file.read(), UNLIMITED)
        return image.width, image.height
    except OSError:
        return None
    except HisegError:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        return None if pixels is None else (pixels.shape[1], pixels.shape[0])
