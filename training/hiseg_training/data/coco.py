"""Reads COCO files of people: images, boxes and masks; images are decoded only when their pixels are needed."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from hiseg.core.box import Box
from hiseg.core.image import BoolMask, Pixels

ENVIRONMENT = "HISEG_DATA"
DEFAULT_ROOT = Path("data/person_seg")
"""Relative to the working folder."""
PERSON = "person"
LEAST_SIDE = 2.0
"""Least side of a person's box in pixels; annotations with smaller boxes are skipped."""
SOMEBODY = 255
"""Identity shared by the 255th and all further people of an image: identities are uint8, and 0 is nobody."""


class AnnotationError(ValueError):
    """The file is no valid COCO file of people; the message says what is wrong."""


def data_root() -> Path:
    """Return the folder of the data set: ``$HISEG_DATA``, else ``data/person_seg`` below the working folder."""
    return Path(os.environ.get(ENVIRONMENT, DEFAULT_ROOT))


@dataclass(frozen=True)
class Person:
    """One annotated person.

    Attributes:
        box: in pixels, clipped to the image.
        area: of the mask in pixels, as annotated.
        rle: the mask as COCO run lengths; None where only the box is known.
    """

    box: Box
    area: float
    rle: dict[str, object] | None

    def mask(self) -> BoolMask:
        """Decode the mask: bool ``[H, W]`` of the image's size.

        Raises:
            ValueError: only the box is known.
        """
        if self.rle is None:
            raise ValueError(f"the person in {self.box} has a box, but no outline")
        return np.asarray(coco_mask.decode(self.rle), dtype=np.bool_)


@dataclass(frozen=True)
class Photo:
    """One image file with its annotated people.

    Attributes:
        path: of the image file.
        width: of the image, in pixels.
        height: of the image, in pixels.
        source: name of the data set it comes from.
        exhaustive: whether every person in the image is annotated with an outline.
        people: the annotated people, in the file's order.
        guess: where masks are a model's pseudo-labels, its foreground probability as a grey PNG of the image's size,
            0..255 for 0..1. None where masks are ground truth.
    """

    path: Path
    width: int
    height: int
    source: str
    exhaustive: bool
    people: tuple[Person, ...]
    guess: bytes | None = None

    @property
    def outlined(self) -> bool:
        """Whether every annotated person has a mask."""
        return all(person.rle is not None for person in self.people)

    def pixels(self) -> Pixels:
        """Decode the image: uint8 ``[H, W, 3]`` RGB.

        Raises:
            FileNotFoundError: the file does not exist, or is no image.
            AnnotationError: the image has another size than its annotations say.
        """
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR_RGB) if self.path.is_file() else None
        if image is None:
            raise FileNotFoundError(f"cannot read {self.path}")
        if image.shape[:2] != (self.height, self.width):
            found = f"{image.shape[1]} x {image.shape[0]}"
            raise AnnotationError(f"{self.path} is {found}, its annotations say {self.width} x {self.height}")
        return np.asarray(image, dtype=np.uint8)

    def identities(self) -> Pixels:
        """Draw all masks into one map: uint8 ``[H, W]``, 0 nobody, k the k-th person (from 1, up to :data:`SOMEBODY`).

        Where masks overlap, the smaller person is in front. People without a mask are left out.
        """
        canvas = np.zeros((self.height, self.width), dtype=np.uint8)
        order = sorted(range(len(self.people)), key=lambda k: -self.people[k].area)
        for k in order:
            if self.people[k].rle is not None:
                canvas[self.people[k].mask()] = min(k + 1, SOMEBODY)
        return canvas

    def planes(self) -> tuple[Pixels, ...]:
        """Return :meth:`pixels`, :meth:`identities` and, if any, the decoded :attr:`guess`, uint8 ``[H, W]``."""
        if self.guess is None:
            return self.pixels(), self.identities()
        guess = cv2.imdecode(np.frombuffer(self.guess, np.uint8), cv2.IMREAD_GRAYSCALE)
        return self.pixels(), self.identities(), np.asarray(guess, dtype=np.uint8)


def read_split(root: Path, split: str) -> list[Photo]:
    """Read all photos with people of the split ``train``, ``val`` or ``ood`` below the data root.

    Raises:
        FileNotFoundError: the split does not exist; the message names ``HISEG_DATA``.
    """
    annotations = root / "annotations" / f"instances_{split}_person_only_no_crowd.json"
    if not annotations.is_file():
        raise FileNotFoundError(f"{annotations} does not exist; set {ENVIRONMENT} to the folder of the data")
    return read_annotations(annotations, root / "images" / split)


def read_annotations(annotations: Path, images: Path) -> list[Photo]:
    """Read all photos with people from a COCO file, in the file's order.

    Masks may be polygons, run lengths or compressed run lengths, or missing (boxes only). Other categories than person
    and crowd regions are skipped. Images may have the fields ``source`` and ``exhaustive``; by default the source is
    the file's name, and images without a crowd region are exhaustive.

    Args:
        annotations: the COCO file.
        images: the folder of its images.

    Raises:
        FileNotFoundError: the file, or an image that it names, does not exist.
        AnnotationError: it is not a COCO file, or has no category ``person``.
    """
    photos = read_people(annotations, images)
    for photo in photos:
        if not photo.path.is_file():
            raise FileNotFoundError(f"{photo.path}, which {annotations} names, does not exist")
    return photos


def read_people(annotations: Path, images: Path) -> list[Photo]:
    """Read photos as :func:`read_annotations` does, without checking that the image files exist."""
    content = load_coco(annotations)
    wanted = person_categories(content, annotations)
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    crowded = set()
    for row in content["annotations"]:
        if row.get("category_id") in wanted:
            if row.get("iscrowd"):
                crowded.add(row["image_id"])
            else:
                rows[row["image_id"]].append(row)
    photos = []
    for image in content["images"]:
        people = tuple(_people(rows[image["id"]], image["width"], image["height"]))
        if people:
            source = image.get("source", annotations.stem)
            exhaustive = image.get("exhaustive", image["id"] not in crowded)
            path = images / image["file_name"]
            photos.append(Photo(path, image["width"], image["height"], source, exhaustive, people))
    return photos


def load_coco(annotations: Path) -> dict[str, Any]:
    """Load the content of a COCO file.

    Raises:
        FileNotFoundError: it does not exist.
        AnnotationError: it is not JSON with ``images`` and ``annotations``.
    """
    if not annotations.is_file():
        raise FileNotFoundError(f"{annotations} does not exist")
    try:
        content = json.loads(annotations.read_bytes())
    except ValueError as error:
        raise AnnotationError(f"{annotations} is not JSON: {error}") from error
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise AnnotationError(f"{annotations} is not a COCO file: it needs images and annotations")
    return content


def person_categories(content: dict[str, Any], annotations: Path) -> set[int]:
    """Return the ids of the categories named ``person``, whatever their numbers.

    Raises:
        AnnotationError: there is none.
    """
    categories = content.get("categories", [])
    named = {category["id"] for category in categories if category.get("name", "").lower() == PERSON}
    if not named:
        names = sorted({category.get("name", "") for category in categories})
        raise AnnotationError(f"{annotations}: no category is named {PERSON!r}, but {names}")
    return named


def _people(rows: list[dict[str, Any]], width: int, height: int) -> list[Person]:
    """Return the people of an image's annotations, boxes clipped to the image, without those that are too small."""
    people = []
    for row in rows:
        x, y, w, h = row["bbox"]
        box = Box(x, y, x + w, y + h).clipped(width, height)
        if box.x2 - box.x1 >= LEAST_SIDE and box.y2 - box.y1 >= LEAST_SIDE:
            people.append(Person(box, row.get("area", w * h), _rle(row.get("segmentation"), height, width)))
    return people


def _rle(segmentation: Any, height: int, width: int) -> dict[str, object] | None:
    """Return any COCO segmentation as compressed run lengths; None where there is none."""
    if not segmentation:
        return None
    if isinstance(segmentation, dict) and not isinstance(segmentation["counts"], list):
        return segmentation
    encoded = coco_mask.frPyObjects(segmentation, height, width)
    return dict(coco_mask.merge(encoded) if isinstance(encoded, list) else encoded)


def images_beside(annotations: Path) -> Path:
    """Return the image folder beside a file: ``images/val2017`` for ``annotations/instances_val2017_….json``.

    Raises:
        FileNotFoundError: that folder does not exist.
    """
    words = annotations.stem.split("_")
    split = words[1] if len(words) > 1 else words[0]
    folder = annotations.parent.parent / "images" / split
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}, where the images of {annotations} should be, does not exist: name theirs")
    return folder
