"""Reads image files, also of types that the service doesn't take, and their sizes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hiseg.core.errors import HisegError
from hiseg.core.image import Pixels
from hiseg.images.encoded import inspect
from hiseg.images.limits import UNLIMITED

_HEAD_BYTES = 2**17
"""Bytes in which the header of almost every image is."""


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
