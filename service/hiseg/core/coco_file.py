"""What every reader of COCO files has to decide: whether it is one, which ids are which, and who counts as a person."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Any

from hiseg.core.fields import Unclear, identifier, read_field, show

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
ID_SHOWN = 40
"""Most characters of an id in a message; UUIDs have 36."""


class AnnotationError(ValueError):
    """An annotation file can't be read; the message is one line with the file, the annotation and what is wrong."""


def check_coco(content: Any, annotations: Path) -> dict[str, Any]:
    """Check that what a file contains is a COCO data set.

    Args:
        content: of the file.
        annotations: its path, for messages.

    Returns:
        The content; its ``images``, ``annotations`` and :func:`category_rows` are lists, the first and last of dicts.

    Raises:
        AnnotationError: it isn't one; the message says what else it seems to be.
    """
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise AnnotationError(f"{annotations} is not a COCO file: it needs images and annotations{_hint(content)}")
    for name, rows in (
        ("images", content["images"]),
        ("annotations", content["annotations"]),
        ("categories", category_rows(content)),
    ):
        if not isinstance(rows, list):
            raise AnnotationError(f"{annotations}: {name} is {show(rows)}, not a list")
        for index, row in enumerate(rows if name != "annotations" else ()):
            if not isinstance(row, dict):
                raise AnnotationError(f"{annotations}: {name}[{index}] is {show(row)}, not an object with an id")
    first = next(iter(content["annotations"]), None)
    if isinstance(first, dict) and "segments_info" in first:
        raise AnnotationError(f"{annotations} is a panoptic COCO file, without boxes; take the one of instances")
    return content


def category_rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the categories of a file, also where they are an object of names by id, or missing."""
    categories = content.get("categories")
    if isinstance(categories, dict) and not any(isinstance(name, dict | list) for name in categories.values()):
        return [{"id": number, "name": name} for number, name in categories.items()]
    return [] if categories is None else categories


def name_row(index: int, row: object) -> str:
    """Return how messages name an annotation: its place in the file, from 0, and its id."""
    number = row.get("id") if isinstance(row, dict) else None
    if number is None:
        return f"annotations[{index}]"
    text = " ".join(str(number).split())
    return f"annotations[{index}] (id {text[:ID_SHOWN]})"


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
    content: dict[str, Any],
    annotations: Path,
    wanted: Collection[str] = (PERSON,),
    tell: Callable[[str], object] = lambda line: None,
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
    for index, row in enumerate(category_rows(content)):
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
