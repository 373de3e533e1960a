"""Reads a person-only COCO split: images, boxes and masks, each decoded once."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from service.domain import BoolMask, Box, Pixels

ENVIRONMENT = "HISEG_DATA"
DEFAULT_ROOT = Path("../shared/data/person_seg")


def data_root() -> Path:
    """Where the data lies: ``$HISEG_DATA``, else beside the checkout."""
    return Path(os.environ.get(ENVIRONMENT, DEFAULT_ROOT))


@dataclass(frozen=True)
class Person:
    """One annotated person: its box, its area in pixels as annotated, and its run-length encoded mask."""

    box: Box
    area: float
    rle: dict[str, object]

    def mask(self) -> BoolMask:
        """bool ``[H, W]`` at the image's size."""
        return np.asarray(coco_mask.decode(self.rle), dtype=np.bool_)


@dataclass(frozen=True)
class Photo:
    """One image of a split with its people.

    Attributes:
        source: name of the data set it comes from.
        exhaustive: whether every person in it is outlined.
    """

    path: Path
    width: int
    height: int
    source: str
    exhaustive: bool
    people: tuple[Person, ...]

    def pixels(self) -> Pixels:
        """uint8 ``[H, W, 3]`` RGB."""
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise FileNotFoundError(f"cannot read {self.path}")
        return np.asarray(image, dtype=np.uint8)

    def identities(self) -> Pixels:
        """uint8 ``[H, W]``: 0 nobody, k the k-th person (from 1). Where masks overlap the smaller is in front."""
        canvas = np.zeros((self.height, self.width), dtype=np.uint8)
        order = sorted(range(len(self.people)), key=lambda k: -self.people[k].area)
        for k in order:
            canvas[self.people[k].mask()] = k + 1
        return canvas


def _rle(segmentation: object, height: int, width: int) -> dict[str, object]:
    if isinstance(segmentation, dict) and not isinstance(segmentation["counts"], list):
        return segmentation
    encoded = coco_mask.frPyObjects(segmentation, height, width)
    return dict(coco_mask.merge(encoded) if isinstance(encoded, list) else encoded)


def read_split(root: Path, split: str) -> list[Photo]:
    """All photos of ``train``, ``val`` or ``ood`` that have people.

    Raises:
        FileNotFoundError: if the split isn't there; names ``HISEG_DATA``.
    """
    annotations = root / "annotations" / f"instances_{split}_person_only_no_crowd.json"
    if not annotations.is_file():
        raise FileNotFoundError(f"{annotations} does not exist; set {ENVIRONMENT} to the folder of the data")
    coco = COCO()
    coco.dataset = json.loads(annotations.read_text())
    coco.createIndex()
    photos = []
    for image in coco.imgs.values():
        height, width = image["height"], image["width"]
        people = []
        for annotation in coco.imgToAnns[image["id"]]:
            x, y, w, h = annotation["bbox"]
            box = Box(x, y, x + w, y + h).clipped(width, height)
            if box.x2 - box.x1 >= 2 and box.y2 - box.y1 >= 2:
                people.append(Person(box, annotation["area"], _rle(annotation["segmentation"], height, width)))
        if people:
            path = root / "images" / split / image["file_name"]
            photos.append(Photo(path, width, height, image["source"], image["exhaustive"], tuple(people)))
    return photos
