"""Reads which boxes of a COCO file are people to be outlined, in which photos; all that is in the file stays as it is.

One annotation that can't be understood, or whose image is missing, is no reason to leave the others: it is told of at
the end. What makes the file as a whole doubtful is an error, before anything is begun.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hiseg.client.coco import read_box
from hiseg.core.coco_file import (
    PERSON,
    AnnotationError,
    category_rows,
    check_coco,
    image_rows,
    name_row,
    person_categories,
)
from hiseg.core.fields import MISSING, Unclear, flag, identifier, read_field, show, whole_number
from hiseg.photos.pipeline import Failure

LARGEST_SHARE = 1.5
"""Boxes without a larger number are shares of their image, 0 to 1, and not pixels."""
URLS = ("flickr_url", "url")
"""Where files say that a photo is to be fetched from; its file needn't be called as it is there."""
MAX_SHOWN = 200
"""Most characters of a name that messages show."""


class Person(NamedTuple):
    """An annotation that gets a mask.

    Attributes:
        place: in the list of annotations, from 0.
        box: ``x y width height`` in pixels.
    """

    place: int
    box: list[float]


@dataclass(frozen=True, slots=True)
class Photo:
    """An image with people.

    Attributes:
        place: in the list of images, from 0.
        name: its ``file_name``, or LVIS's ``coco_url``, which ends with it.
        size: its (width, height), each 0 where the file doesn't say it.
        people: those who get a mask, in the file's order.
    """

    place: int
    name: str
    size: tuple[int, int]
    people: tuple[Person, ...]

    @property
    def shown(self) -> str:
        """The name as messages show it: in one line."""
        return _shown(self.name)


@dataclass(slots=True)
class Document:
    """What is in a file.

    Attributes:
        content: all of it, to be written again.
        rows: its annotations, within ``content``.
        images: its images, within ``content`` or of the other file that lists them.
        photos: images with people, in the order of ``images``.
        failures: what can't be understood.
        crowds: number of annotations of crowds, which have no mask of one person.
        others: number of annotations of other categories.
        notes: what was decided that the user should know, in sentences.
    """

    content: Any
    rows: list[Any]
    images: list[dict[str, Any]]
    photos: list[Photo] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    crowds: int = 0
    others: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def people(self) -> int:
        """Number of annotations that get a mask."""
        return sum(len(photo.people) for photo in self.photos)


def read_document(
    content: Any, path: Path, categories: Collection[str] = (), listed: tuple[Any, Path] | None = None
) -> Document:
    """Find the people in what a file contains.

    Args:
        content: of the file: a COCO data set, or a detector's list of results.
        path: of the file, for messages.
        categories: names, or ids, of the categories that are people; empty: the one called person, or the only one.
        listed: what another file contains that lists the images of a list of results, and its path.

    Raises:
        AnnotationError: it is neither, ids contradict each other, or there is no box of a person.
    """
    about, about_path = _data_set(content, path, listed)
    rows = content if listed is not None else content["annotations"]
    document = Document(content, rows, about["images"])
    images = image_rows(about, about_path)
    persons = _persons(about | {"annotations": rows}, path if listed is None else about_path, categories, document)
    people: dict[Hashable, list[Person]] = {}
    for place, row in enumerate(rows):
        where = name_row(place, row)
        try:
            if not isinstance(row, dict):
                raise Unclear(f"is {show(row)}, not an object")
            if persons is not None and read_field(row, "category_id", identifier) not in persons:
                document.others += 1
                continue
            if "iscrowd" in row and read_field(row, "iscrowd", flag):
                document.crowds += 1
                continue
            image = read_field(row, "image_id", identifier)
            if image not in images:
                raise Unclear(f"image_id is {show(row['image_id'])}, which no image has")
            where = f"{_shown(_name(images[image][1])) or image}, {where}"
            box = read_box(row)
            if min(box[2:]) <= 0:
                raise Unclear(f"bbox is {show(row['bbox'])}, whose width or height isn't above 0")
        except Unclear as error:
            document.failures.append(Failure(where, str(error)))
        else:
            people.setdefault(image, []).append(Person(place, box))
    for image, (place, row) in images.items():
        if found := people.get(image):
            _add_photo(document, place, row, tuple(found))
    _check(document, path, sum(map(len, people.values())))
    return document


def _data_set(content: Any, path: Path, listed: tuple[Any, Path] | None) -> tuple[dict[str, Any], Path]:
    """The data set that has the images and categories, and its path."""
    is_results = isinstance(content, list) and all(isinstance(row, dict) and "image_id" in row for row in content)
    if listed is not None:
        if not is_results:
            raise AnnotationError(f"{path} is no list of results, so it needs no other file of images")
        about, about_path = listed
        if isinstance(about, dict) and "annotations" not in about:
            about = about | {"annotations": []}
        return check_coco(about, about_path), about_path
    if is_results and content:
        raise AnnotationError(
            f"{path} is a list of results, which has no names of images: name the COCO file that lists them with "
            "--image-info"
        )
    return check_coco(content, path), path


def _persons(
    about: dict[str, Any], path: Path, categories: Collection[str], document: Document
) -> set[Hashable] | None:
    """The ids of the categories that are people; None: annotations have no categories, and all are."""
    if not categories:
        named = {str(row.get("name") or "").strip().casefold() for row in category_rows(about)}
        rows = [row for row in about["annotations"] if isinstance(row, dict) and row.get("category_id") is not None]
        used = set()
        with suppress(Unclear):  # the row is told of later
            used = {identifier(row["category_id"]) for row in rows}
        if not rows or (not category_rows(about) and len(used) == 1):
            document.notes.append("the boxes have no categories, so all are taken for people")
            return None
        if PERSON not in named and len(used) == 1 and len(category_rows(about)) == 1:
            (row,) = category_rows(about)
            document.notes.append(f"{path}: its only category, {show(row.get('name'))}, is taken for people")
            return person_categories(about, path, [str(next(iter(used)))])
    return person_categories(about, path, categories or (PERSON,), document.notes.append)


def _name(row: dict[str, Any]) -> str:
    """The name of an image's file; empty if there is none."""
    names = (row.get("file_name"), row.get("coco_url"))
    return next((name for name in names if isinstance(name, str) and name.strip()), "")


def _shown(name: str) -> str:
    """A name as messages show it: in one line, and nothing that a terminal would obey."""
    line = "".join(each if each.isprintable() else "?" for each in " ".join(name.split()))
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"


def _add_photo(document: Document, place: int, row: dict[str, Any], people: tuple[Person, ...]) -> None:
    name = _name(row)
    where = _shown(name) or f"images[{place}] (id {row['id']})"
    try:
        if not name:
            asked = next((f"; its {key} isn't fetched: download the photo" for key in URLS if row.get(key)), "")
            raise Unclear(f"has no file_name{asked}")
        width, height = (_side(row, side) for side in ("width", "height"))
    except Unclear as error:
        document.failures.append(Failure(where, str(error)))
    else:
        document.photos.append(Photo(place, name, (width, height), people))


def _side(row: dict[str, Any], side: str) -> int:
    if row.get(side) in MISSING or row[side] in (0, "0"):
        return 0
    found = read_field(row, side, whole_number)
    if found < 0:
        raise Unclear(f"{side} is {found}, which is no size of an image")
    return found


def _check(document: Document, path: Path, boxes: int) -> None:
    """Refuse a file from which nothing can be made."""
    if not boxes:
        counts = {
            "of other categories": document.others,
            "of crowds (iscrowd)": document.crowds,
            "that can't be understood": len(document.failures),
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        first = f"; the first of these: {document.failures[0]}" if document.failures else ""
        raise AnnotationError(f"{path} has no boxes of people" + (f": it has {told}{first}" if told else ""))
    numbers = [number for photo in document.photos for person in photo.people for number in person.box]
    if numbers and max(map(abs, numbers)) <= LARGEST_SHARE:
        raise AnnotationError(f"{path}: its boxes look like shares of the image, 0 to 1; COCO's are in pixels")
