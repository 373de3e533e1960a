"""Reads boxes from the COCO files that annotation tools write, CVAT's above all.

Such files are written by many programs, and edited by hand. What is plain is taken; what isn't is an error that names
the file and the annotation; what can't be a person's box is left out, and the log says so.
"""

from __future__ import annotations

import logging
import math
import unicodedata
from collections.abc import Callable, Collection, Hashable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, TypeVar

from hiseg.core.fields import Unclear, flag, identifier, number, read_field
from hiseg.core.json_file import UnreadableJson, load_json

Row: TypeAlias = tuple[int, list[float]]
"""The number of a label, and a box ``x y width height`` in pixels."""
MIN_SIDE = 1.0
"""Least width and height of a box, in pixels; less is a slip of the mouse."""
MAX_NAMED = 3
"""Most annotations that a line of the log names."""
T = TypeVar("T")
log = logging.getLogger("hiseg.client")


def read_coco(path: str | Path, labels: Collection[str] = ()) -> tuple[dict[int, str], dict[str, list[Row]]]:
    """Read a COCO file: JSON, or the archive that CVAT exports, with one such file in it.

    A turned rectangle, which CVAT writes as an upright one and its ``rotation``, becomes the upright one around it.

    Args:
        path: the file.
        labels: names of the categories whose boxes are wanted; empty: those of all.

    Returns:
        Labels by number, and the boxes of each image by its file name, with ``/`` between folders.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it can't be read, isn't a COCO file, or has no boxes of these labels.
    """
    path = Path(path)
    try:
        content = load_json(path)
    except UnreadableJson as error:
        raise ValueError(f"{error}: it is not a COCO file, as CVAT exports with the format COCO 1.0") from error
    try:
        images, categories, annotations = (_list(content, name) for name in ("images", "categories", "annotations"))
        names, numbers = _images(images), _categories(categories)
        wanted = _wanted(numbers, labels)
        rows: dict[str, list[Row]] = {name: [] for name in names.values()}
        left_out: dict[str, list[str]] = {}
        for index, annotation in enumerate(annotations):
            where = f"annotations[{index}]"
            image = names.get(_field(annotation, "image_id", identifier, where))
            if image is None:
                raise ValueError(f"{where} belongs to the image {annotation['image_id']!r}, which there isn't")
            label = numbers.get(_field(annotation, "category_id", identifier, where))
            if label is None:
                raise ValueError(f"{where} has a category that there isn't: {annotation['category_id']!r}")
            if label[0] not in wanted:
                continue
            box = _box(annotation, where)
            if _field({"iscrowd": None} | annotation, "iscrowd", flag, where):
                left_out.setdefault("are crowds, not persons", []).append(where)
            elif min(box[2:]) < MIN_SIDE:
                left_out.setdefault("are empty, or less than a pixel wide or high", []).append(where)
            else:
                rows[image].append((label[0], box))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    for why, places in left_out.items():
        named = ", ".join(places[:MAX_NAMED]) + (" …" if len(places) > MAX_NAMED else "")
        log.warning("%s: %d boxes are left out, since they %s: %s", path, len(places), why, named)
    used = {label for boxes in rows.values() for label, _ in boxes}
    if not used:
        raise ValueError(f"{path} has no boxes" + (f" of {', '.join(labels)}" if labels else ""))
    found = {number: wanted[number] for number in sorted(used)}
    if len(found) > 1 and not labels:
        text = "%s: the boxes of all labels get masks of people: %s; name those that are people in `labels`"
        log.warning(text, path, ", ".join(found.values()))
    return found, rows


def find_frame(rows: Collection[str], frame: str) -> str:
    """The file name of a COCO file that means a frame: the same, or the same but for folders before it.

    Raises:
        ValueError: there is none, or more than one.
    """
    if frame in rows:
        return frame
    name = _normal(frame)
    found = [row for row in rows if _normal(row) == name]
    found = found or [row for row in rows if _ends_with(_normal(row), name) or _ends_with(name, _normal(row))]
    if not found:
        raise ValueError(f"has no image with the file_name {frame!r}")
    if len(found) > 1:
        raise ValueError(f"has several images that could be {frame!r}: {', '.join(sorted(found)[:MAX_NAMED])}")
    return found[0]


def _list(content: Any, name: str) -> list[dict[str, Any]]:
    items = content.get(name) if isinstance(content, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"this is not a COCO file with boxes: it has no list of {name}")
    return items


def _images(images: list[dict[str, Any]]) -> dict[Hashable, str]:
    """File names by ids."""
    names: dict[Hashable, str] = {}
    places: dict[str, int] = {}
    for index, image in enumerate(images):
        where = f"images[{index}]"
        key, name = _field(image, "id", identifier, where), image.get("file_name")
        if not isinstance(name, str) or not name:
            raise ValueError(f"{where} has no file_name")
        if key in names:
            raise ValueError(f"{where} has the id {image['id']!r} of another image")
        name = name.replace("\\", "/")
        if _normal(name) in places:
            raise ValueError(f"{where} has the same file_name as images[{places[_normal(name)]}]: {name!r}")
        names[key], places[_normal(name)] = name, index
    return names


def _categories(categories: list[dict[str, Any]]) -> dict[Hashable, tuple[int, str]]:
    """Numbers and names of labels by ids; categories of one name are one label."""
    found: dict[Hashable, tuple[int, str]] = {}
    numbers: dict[str, int] = {}
    for index, category in enumerate(categories):
        where = f"categories[{index}]"
        key, name = _field(category, "id", identifier, where), category.get("name")
        if not isinstance(name, str) or not name:
            raise ValueError(f"{where} has no name")
        if not isinstance(key, int):
            raise ValueError(f"{where} has an id that is no whole number: {category['id']!r}")
        if key in found:
            raise ValueError(f"{where} has the id {category['id']!r} of another category")
        found[key] = (numbers.setdefault(name, key), name)
    return found


def _wanted(categories: Mapping[Hashable, tuple[int, str]], labels: Collection[str]) -> dict[int, str]:
    known = {name for _, name in categories.values()}
    if unknown := sorted(set(labels) - known):
        raise ValueError(f"there is no label {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return {number: name for number, name in categories.values() if not labels or name in labels}


def _field(row: dict[str, Any], name: str, read: Callable[[Any], T], where: str) -> T:
    try:
        return read_field(row, name, read)
    except Unclear as error:
        raise ValueError(f"{where} {error}") from None


def _box(annotation: dict[str, Any], where: str) -> list[float]:
    try:
        return read_box(annotation)
    except Unclear as error:
        raise ValueError(f"{where} {error}") from None


def read_box(annotation: dict[str, Any]) -> list[float]:
    """Read the box of an annotation: ``x y width height`` in pixels, upright around a rectangle that CVAT turned.

    Raises:
        Unclear: it has none of four numbers.
    """
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise Unclear("has no box of four numbers")
    x, y, width, height = (read_field({"bbox": each}, "bbox", number) for each in box)
    attributes = annotation.get("attributes")
    rotation = (attributes.get("rotation") if isinstance(attributes, dict) else None) or 0
    turn = read_field({"rotation": rotation}, "rotation", number)
    if turn % 360 == 0 or width <= 0 or height <= 0 or _is_turned(annotation, (x, y, width, height)):
        return [x, y, width, height]
    # CVAT turns a rectangle clockwise about its centre.
    cos, sin = abs(math.cos(math.radians(turn))), abs(math.sin(math.radians(turn)))
    around = (width * cos + height * sin, width * sin + height * cos)
    return [x + (width - around[0]) / 2, y + (height - around[1]) / 2, *around]


def _is_turned(annotation: dict[str, Any], box: tuple[float, float, float, float]) -> bool:
    """Whether a box is around what was turned, an ellipse's outline, and not yet to be turned itself."""
    outline = annotation.get("segmentation")
    if isinstance(outline, list):
        rings = [ring for ring in outline if ring]
        if len(rings) == 1 and isinstance(rings[0], list) and len(rings[0]) == 8:
            x, y, width, height = box
            corners = (x, y, x + width, y + height)
            return not all(
                type(each) in (int, float) and any(abs(each - at) < 1 for at in corners) for each in rings[0]
            )
        return bool(rings)
    return isinstance(outline, dict) and "counts" in outline


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(name.replace("\\", "/")))).lstrip("/")


def _ends_with(path: str, end: str) -> bool:
    return path.endswith("/" + end)
