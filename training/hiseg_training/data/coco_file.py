"""Reads what COCO files have in common, people or not: lists of images, annotations and categories, tied by ids."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hiseg.core.fields import Unclear, flag, identifier, read_field, show
from hiseg.core.json_file import UnreadableJson, load_json
from hiseg_training.data.skipped import AnnotationError, Problems, Skipped, Tell, name_row, silent

PERSON = "person"
NAMES_SHOWN = 12
"""Most names of categories in a message."""
OTHER_FORMATS = {
    "shapes": "LabelMe",
    "_via_img_metadata": "VIA",
    "_via_settings": "VIA",
    "items": "Datumaro",
    "samples": "FiftyOne",
    "tasks": "Label Studio",
}
"""What gives away the files of other programs, all of which can export COCO."""


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


def load_coco(annotations: Path) -> dict[str, Any]:
    """Load the content of a COCO file.

    Returns:
        The content; ``images``, ``annotations`` and ``categories`` are lists, the first and last ones of dicts.

    Raises:
        FileNotFoundError: it does not exist.
        AnnotationError: it is not JSON with ``images`` and ``annotations``.
    """
    try:
        content = load_json(annotations)
    except UnreadableJson as error:
        raise AnnotationError(str(error)) from error
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise AnnotationError(f"{annotations} is not a COCO file: it needs images and annotations{_hint(content)}")
    categories = content.get("categories")
    if isinstance(categories, dict) and not any(isinstance(name, dict | list) for name in categories.values()):
        categories = [{"id": number, "name": name} for number, name in categories.items()]
    content["categories"] = [] if categories is None else categories
    for name in ("images", "annotations", "categories"):
        if not isinstance(content[name], list):
            raise AnnotationError(f"{annotations}: {name} is {show(content[name])}, not a list")
    for name in ("images", "categories"):
        for index, row in enumerate(content[name]):
            if not isinstance(row, dict):
                raise AnnotationError(f"{annotations}: {name}[{index}] is {show(row)}, not an object with an id")
    return content


def _hint(content: Any) -> str:
    """Say which other kind of file it seems to be; empty if that isn't known."""
    if isinstance(content, list):
        first = content[0] if content and isinstance(content[0], dict) else {}
        if "image_id" in first:
            return "; a list of results has no images"
        return "; Label Studio's own JSON can be exported as COCO" if "data" in first else "; this is a list"
    if not isinstance(content, dict):
        return f"; this is {show(content)}"
    program = next((name for key, name in OTHER_FORMATS.items() if key in content), None)
    return f"; {program}'s own files can be exported as COCO" if program else f"; there is {show(sorted(content))}"


def image_rows(content: dict[str, Any], annotations: Path) -> dict[Hashable, tuple[int, dict[str, Any]]]:
    """Return the images by id, each with its place in the list, in the file's order.

    Raises:
        AnnotationError: an image has no id, or two that differ have the same.
    """
    found: dict[Hashable, tuple[int, dict[str, Any]]] = {}
    for index, row in enumerate(content["images"]):
        number = _own_id(row, f"{annotations}: images[{index}]")
        first, other = found.setdefault(number, (index, row))
        if other is not row and other != row:
            raise AnnotationError(f"{annotations}: images[{first}] and images[{index}] both have the id {number}")
    return found


def person_categories(
    content: dict[str, Any], annotations: Path, wanted: Collection[str] = (PERSON,), tell: Tell = silent
) -> set[Hashable]:
    """Return the ids of the categories that are people.

    Args:
        content: of the file.
        annotations: its path, for messages.
        wanted: names of those categories, in any case; or ids, where no category has that name.
        tell: gets a line for each name that no category has, if another one has some.

    Raises:
        AnnotationError: there is none.
    """
    categories: dict[Hashable, str] = {}
    for index, row in enumerate(content["categories"]):
        number = _own_id(row, f"{annotations}: categories[{index}]")
        name = str(row.get("name") or "").strip()
        if categories.setdefault(number, name) != name:
            both = f"{show(categories[number])} and {show(name)}"
            raise AnnotationError(f"{annotations}: the category {number} is both {both}")
    found: set[Hashable] = set()
    strangers = []
    for each in wanted:
        named = {number for number, name in categories.items() if _folded(name) == _folded(each)}
        if not named:
            numbers = set(categories) | ({_number(row) for row in content["annotations"]} if not categories else set())
            named = {number for number in numbers if number is not None and str(number) == each.strip()}
        found |= named
        if not named:
            strangers.append(each)
    if not found:
        asked = " or ".join(repr(name) for name in wanted)
        raise AnnotationError(f"{annotations}: no category is named {asked}{_names(content, categories)}")
    for each in strangers:
        tell(f"{annotations}: no category is named {each!r}")
    return found


def _own_id(row: dict[str, Any], where: str) -> Hashable:
    try:
        return read_field(row, "id", identifier)
    except Unclear as error:
        raise AnnotationError(f"{where} {error}") from None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _number(row: Any) -> Hashable:
    """Return the category's id of an annotation, None where it has none."""
    try:
        return identifier(row["category_id"])
    except (Unclear, KeyError, TypeError):
        return None


def _names(content: dict[str, Any], categories: dict[Hashable, str]) -> str:
    """Say which categories a file has, and what to do."""
    counts = Counter(map(_number, content["annotations"]))
    if not categories:
        known = [str(number) for number in counts if number is not None]
        some = f"; annotations have category_id {', '.join(known[:NAMES_SHOWN])}" if known else ""
        return f", as the file has no categories{some}: name the number of people with --category"
    order = sorted(categories, key=lambda number: -counts[number])
    named = [f"{show(categories[number] or number)} ({counts[number]})" for number in order[:NAMES_SHOWN]]
    more = f" and {len(order) - NAMES_SHOWN} more" if len(order) > NAMES_SHOWN else ""
    return f", but there is {', '.join(named)}{more} (annotations of each): name those that are people with --category"


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
