"""Small photos of plain figures for tests of crops, with people who have outlines and people who have boxes only."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from hiseg.core.box import Box
from hiseg.core.image import BoolMask, Pixels
from hiseg_training.data.coco import Photo
from hiseg_training.data.person import Person

HEIGHT, WIDTH = 120, 160


def rectangle(x1: int, y1: int, x2: int, y2: int) -> BoolMask:
    """bool ``[HEIGHT, WIDTH]``."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask


def person(mask: BoolMask, outlined: bool = True) -> Person:
    """Somebody with the tightest box."""
    rle = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
    x, y, w, h = coco_mask.toBbox(rle).tolist()
    return Person(Box(x, y, x + w, y + h), float(mask.sum()), rle if outlined else None)


def photo(path: Path, pixels: Pixels, *people: Person, source: str = "drawn", guess: Pixels | None = None) -> Photo:
    """Write the image file, and return it with its people."""
    cv2.imwrite(str(path), pixels[:, :, ::-1])
    drawn = None if guess is None else cv2.imencode(".png", guess)[1].tobytes()
    return Photo(path, WIDTH, HEIGHT, source, all(each.rle is not None for each in people), people, drawn)


def ground() -> Pixels:
    """uint8 ``[HEIGHT, WIDTH, 3]``, grey noise of 90 to 130."""
    return np.random.default_rng(0).integers(90, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
