"""Reads the annotations of people in COCO files, and counts those that are left out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hiseg.core.coco_file import AnnotationError, category_rows, check_coco, name_row
from hiseg.core.fields import Unclear, flag, identifier, read_field, show
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
        _add_outlines(content["annotations"], annotations, load_coco(outlines)["annotations"], outlines)
    return content | {"categories": category_rows(content)}


def _add_outlines(boxes: list[Any], annotations: Path, rows: list[Any], outlines: Path) -> None:
    """Give the annotations that ``rows`` name by ``box_id`` the outlines that those have."""
    known = {row["id"]: row for row in boxes if isinstance(row, dict) and "id" in row}
    for index, row in enumerate(rows):
        box = known.get(row.get("box_id")) if isinstance(row, dict) else None
        if box is None:
            name = name_row(index, row)
            raise AnnotationError(f"{outlines}: {name} has no box_id of an annotation of {annotations}")
        box["segmentation"] = row.get("segmentation")


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
