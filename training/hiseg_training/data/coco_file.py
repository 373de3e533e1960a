"""Reads the annotations of people in COCO files, and counts those that are left out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hiseg.core.coco_file import AnnotationError, category_rows, check_coco, name_row
from hiseg.core.fields import MISSING, Unclear, flag, identifier, read_field, show
from hiseg.core.json_file import UnreadableJson, load_json
from hiseg_training.data.skipped import Problems, Skipped


class PersonRow(NamedTuple):
    """An annotation of a person.

    Attributes:
        place: in the file's list, from 0.
        image: id of its image, which the file has.
        crowd: whether it outlines several people at once.
        row: as it stands in the file.
    """

    place: int
    image: Hashable
    crowd: bool
    row: dict[str, Any]


def load_coco(annotations: Path, outlines: Path | None = None) -> dict[str, Any]:
    """Load the content of a COCO file.

    Args:
        annotations: the file.
        outlines: another one, with outlines of some of the first one's annotations, which its own name by ``box_id``.

    Returns:
        The content; ``images``, ``annotations`` and ``categories`` are lists, the first and last ones of dicts.

    Raises:
        FileNotFoundError: a file does not exist.
        AnnotationError: one is not JSON with ``images`` and ``annotations``, or ``outlines`` names what isn't there.
    """
    try:
        content = check_coco(load_json(annotations), annotations)
    except UnreadableJson as error:
        raise AnnotationError(str(error)) from error
    if outlines is not None:
        rows = _with_outlines(content["annotations"], annotations, load_coco(outlines)["annotations"], outlines)
        content = content | {"annotations": rows}
    return content | {"categories": category_rows(content)}


def _with_outlines(boxes: list[Any], annotations: Path, rows: list[Any], outlines: Path) -> list[Any]:
    """Return the annotations of one file with the outlines, and areas, that those of another have for them.

    Args:
        boxes: annotations of the file ``annotations``; they stay as they are.
        annotations: the file, for messages.
        rows: annotations of the file ``outlines``, each with the other's id as its ``box_id``.
        outlines: the file, for messages.

    Raises:
        AnnotationError: a row names no annotation, one in another image or one that a row before it names, or has no
            outline.
    """
    places = {str(row["id"]): place for place, row in enumerate(boxes) if isinstance(row, dict) and "id" in row}
    joined, problems, outlined = list(boxes), Problems(outlines), set[int]()
    for index, row in enumerate(rows):
        try:
            if not isinstance(row, dict):
                raise Unclear(f"is {show(row)}, not an object")
            number = read_field(row, "box_id", identifier)
            place = places.get(str(number))
            if place is None:
                raise Unclear(f"box_id is {number}, which no annotation of {annotations} has as its id")
            box = joined[place]
            if str(row.get("image_id")) != str(box.get("image_id")):
                raise Unclear(f"image_id is {show(row.get('image_id'))}, but box {number} is in another image")
            if row.get("segmentation") in MISSING:
                raise Unclear("has no segmentation")
            if place in outlined:
                raise Unclear(f"box_id is {number}, which an annotation before it outlines")
        except Unclear as error:
            problems.add(index, row, error)
        else:
            outlined.add(place)
            joined[place] = box | {"segmentation": row["segmentation"], "area": row.get("area")}
    problems.check()
    return joined


def person_rows(
    content: dict[str, Any],
    persons: set[Hashable],
    images: Collection[Hashable],
    skipped: Skipped,
    problems: Problems,
) -> Iterator[PersonRow]:
    """Yield the annotations of people, crowds too, in the file's order.

    Args:
        content: of the file.
        persons: ids of the categories that are people.
        images: ids of the images.
        skipped: where annotations are counted whose category or image is not in the file.
        problems: where annotations are kept that can't be understood.
    """
    known = persons | {identifier(row["id"]) for row in content["categories"]}
    for index, row in enumerate(content["annotations"]):
        try:
            if not isinstance(row, dict):
                raise Unclear(f"is {show(row)}, not an object")
            category = read_field(row, "category_id", identifier)
            if category not in persons:
                if category not in known:
                    skipped.add("annotation of a category that the file doesn't have", name_row(index, row))
                continue
            image = read_field(row, "image_id", identifier)
            if image not in images:
                skipped.add("person in an image that the file doesn't have", name_row(index, row))
                continue
            found = PersonRow(index, image, "iscrowd" in row and read_field(row, "iscrowd", flag), row)
        except Unclear as error:
            problems.add(index, row, error)
        else:
            yield found
