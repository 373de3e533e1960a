"""Reads the boxes of many photos from one file: a COCO file, or JSON of rows by the photos' names."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hiseg.api.boxes import ROW
from hiseg.core.coco_file import AnnotationError
from hiseg.core.command_errors import CommandError
from hiseg.core.json_file import UnreadableJson, load_json
from hiseg.photos.coco_boxes import Document, read_document
from hiseg.photos.pipeline import Failure

Rows = list[list[float]]
"""Boxes: rows of four numbers."""
SHAPE = '{"photo.jpg": [[x1, y1, x2, y2], …], …}'
MAX_NAMED = 3
"""Most names that a message has."""


@dataclass(frozen=True, slots=True)
class BoxFile:
    """The boxes of a file.

    Attributes:
        path: of the file.
        rows: of each photo, by its name in the file; of a COCO file they are corners in pixels.
        for_all: the boxes of every photo, where the file has them for no photo by name; None: it has names.
        is_coco: whether it is a COCO file, in which the numbers' meaning is fixed.
        notes: what was decided that the user should know, in sentences.
        failures: annotations that can't be understood.
    """

    path: Path
    rows: Mapping[str, Rows]
    for_all: Rows | None = None
    is_coco: bool = False
    notes: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class Matched:
    """Whose the boxes are.

    Attributes:
        rows: boxes of photos by their names.
        unclear: photos of which it isn't clear which boxes are theirs, and why.
        unused: number of names in the file that are none of the photos'.
    """

    rows: dict[str, Rows] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)
    unused: int = 0


def read_box_file(path: Path, categories: Collection[str] = ()) -> BoxFile:
    """Read a file of boxes.

    It is a COCO file, JSON of rows by name, or JSON of rows alone, which then are the boxes of every photo.

    Args:
        path: the file.
        categories: of a COCO file, the names or ids of those that are people; empty: the one called person, or the
            only one.

    Raises:
        CommandError: it can't be read, or is none of these; the message names the place.
    """
    try:
        content = load_json(path)
        if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
            return _of_coco(path, read_document(content, path, categories))
    except (FileNotFoundError, UnreadableJson, AnnotationError) as error:
        raise CommandError(f"--boxes: {error}") from error
    if categories:
        raise CommandError(f"--category is for COCO files, and {path} is none")
    if isinstance(content, list):
        return BoxFile(path, {}, _rows(path, "", content))
    if isinstance(content, dict):
        return BoxFile(path, {name: _rows(path, f"{name}: ", rows) for name, rows in content.items()})
    raise CommandError(f"--boxes: {path} is neither a COCO file nor {SHAPE}")


def _of_coco(path: Path, document: Document) -> BoxFile:
    """The boxes of people as corners; images without people have no boxes, others that aren't listed not even that."""
    names = [row["file_name"] for row in document.images if isinstance(row.get("file_name"), str)]
    rows: dict[str, Rows] = {name: [] for name in names}
    for photo in document.photos:
        boxes = [person.box for person in photo.people]
        rows[photo.name] = [[x, y, x + width, y + height] for x, y, width, height in boxes]
    return BoxFile(path, rows, is_coco=True, notes=tuple(document.notes), failures=tuple(document.failures))


def match(boxes: BoxFile, names: Iterable[str]) -> Matched:
    """Find each photo's boxes, by its name or by the end of it: ``a.jpg`` stands for ``holiday/a.jpg`` and the reverse.

    Args:
        boxes: the file.
        names: of the photos, with ``/`` between folders.
    """
    names = list(names)
    if boxes.for_all is not None:
        return Matched(dict.fromkeys(names, boxes.for_all))
    whole = {_normal(key): key for key in boxes.rows}
    by_file: dict[str, list[str]] = defaultdict(list)
    for key in whole:
        by_file[key.rpartition("/")[2]].append(key)
    found: dict[str, list[str]] = {}
    for name in names:
        normal = _normal(name)
        similar = by_file.get(normal.rpartition("/")[2], [])
        found[name] = [normal] if normal in whole else [key for key in similar if _fits(key, normal)]
    uses = Counter(keys[0] for keys in found.values() if len(keys) == 1)
    matched = Matched()
    used = set()
    for name, keys in found.items():
        used.update(keys)
        if len(keys) > 1:
            several = ", ".join(sorted(whole[key] for key in keys)[:MAX_NAMED])
            matched.unclear[name] = f"{boxes.path} has boxes of several photos that it could be: {several}"
        elif keys and uses[keys[0]] > 1:
            several = ", ".join([each for each, theirs in found.items() if theirs == keys][:MAX_NAMED])
            matched.unclear[name] = f"{boxes.path} has boxes of {whole[keys[0]]!r}, which could be several: {several}"
        elif keys:
            matched.rows[name] = boxes.rows[whole[keys[0]]]
    matched.unused = len(whole) - len(used)
    return matched


def _normal(name: str) -> str:
    """A name as it is compared: macOS writes accents as marks of their own, and Windows folders with backslashes."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def _fits(key: str, name: str) -> bool:
    return key.endswith(f"/{name}") or name.endswith(f"/{key}")


def _rows(path: Path, where: str, content: Any) -> Rows:
    """Check the rows of one photo; a single row may stand alone.

    Raises:
        CommandError: they aren't rows of numbers.
    """
    if not isinstance(content, list):
        raise CommandError(f"--boxes: {path}: {where}it is no list of boxes; the file is a COCO file or {SHAPE}")
    rows = [content] if content and all(_is_number(number) for number in content) else content
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 4 or not all(_is_number(number) for number in row):
            raise CommandError(f"--boxes: {path}: {where}boxes[{index}] is not a row of four numbers, {ROW}")
    return [[float(number) for number in row] for row in rows]


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False
