"""Reads files of boxes: our JSON lines, plain arrays, and what trackers write (:mod:`hiseg.video.tracker_files`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from json import detect_encoding, dumps, loads
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hiseg.api.boxes import check_count, to_boxes
from hiseg.api.validation import to_hiseg_error
from hiseg.core.command_errors import BadOption
from hiseg.core.errors import HisegError
from hiseg.video.boxes import BoxTrack, PersonId, TrackedBox
from hiseg.video.frame import VideoError
from hiseg.video.tracker_files import Detection, Detections, is_coco, read_coco, read_mot, read_supervision

KEYS = ("frame", "time", "boxes", "ids")
COMMENTS = ("#", "//")


def _whole(value: object) -> object:
    """Return 3 for 3.0, as tables of data are written out, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class BoxLine(BaseModel):
    """One line of the file; other keys are noted, and otherwise ignored."""

    model_config = ConfigDict(strict=True, extra="allow")

    frame: Annotated[int, Field(ge=0), BeforeValidator(_whole)] | None = None
    time: Annotated[float, Field(allow_inf_nan=False)] | None = None
    boxes: list[list[float]]
    ids: list[Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_ids_apart(cls, line: Any) -> Any:
        """Take boxes that are objects, ``{"box": [x1, y1, x2, y2], "id": 7}``, apart; other keys are passed over."""
        boxes = line.get("boxes") if isinstance(line, dict) and "ids" not in line else None
        if not isinstance(boxes, list) or not boxes or not all(isinstance(box, dict) and "box" in box for box in boxes):
            return line
        return {**line, "boxes": [box["box"] for box in boxes], "ids": [box.get("id") for box in boxes]}


def read_boxes(path: Path, limit: int, max_age: float = math.inf) -> BoxTrack:
    """Read a file of boxes, whose kind is told by what is in it.

    Lines of JSON, or an array of the same objects: ``{"frame": n, "boxes": [[x1, y1, x2, y2], …], "ids": [7, …]}``,
    with ``"time"`` in seconds in place of ``frame`` if need be, without ids, or with boxes ``{"box": […], "id": 7}``.
    An array of arrays has the boxes of each frame in turn; an array of boxes counts for all frames. Tables of numbers
    are MOTChallenge's, an object with images and annotations is COCO's, and an array of objects with ``x_min``
    supervision's. Frames may come in any order; of two lines for the same frame the later one counts, which is noted,
    as are other keys.

    Args:
        path: the file, in any Unicode encoding.
        limit: most boxes in a frame.
        max_age: frames, or seconds where the file has times, for which boxes count at most after their frame.

    Raises:
        BadOption: the file can't be read, or mixes frames and times.
        VideoError: a line is wrong, or has more than ``limit`` boxes.
    """
    text = _text(path)
    begin = text.lstrip()
    content = _array(text, path) if begin.startswith("[") else None
    if content and isinstance(content[0], dict) and "x_min" in content[0]:
        track = _by_frame(read_supervision(content, path), path, limit)
    elif content and isinstance(content[0], list):
        track = _plain(content, path, limit)
    elif is_coco(begin):
        track = _by_frame(read_coco(text, path), path, limit)
    elif begin[:1].isdigit():
        track = _by_frame(read_mot(text, path), path, limit)
    else:
        track = _lines_of_json(_lines(text, path) if content is None else _elements(content, path), path, limit)
    return replace(track, max_age=max_age)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return content.decode(detect_encoding(content)).removeprefix("\ufeff")
    except OSError as error:
        raise BadOption("--boxes", str(path), f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadOption("--boxes", str(path), f"is no text in Unicode: byte {error.start} fits no character") from error


def _array(text: str, path: Path) -> list[Any]:
    try:
        found: list[Any] = loads(text)
    except (ValueError, RecursionError) as error:
        raise VideoError(f"{path} begins like an array of JSON, but is none: {error}") from error
    return found


def _elements(rows: list[Any], path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each element of an array."""
    yield from ((f"{path}[{index}]", dumps(row)) for index, row in enumerate(rows))


def _lines(text: str, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each line that isn't empty or a comment."""
    for number, line in enumerate(StringIO(text, newline=None), 1):
        if line.strip() and not line.lstrip().startswith(COMMENTS):
            yield f"{path}:{number}", line


def _lines_of_json(lines: Iterable[tuple[str, str]], path: Path, limit: int) -> BoxTrack:
    found: dict[float, tuple[TrackedBox, ...]] = {}
    kinds: set[str] = set()
    others: Counter[str] = Counter()
    changed = 0
    for where, text in lines:
        line, people = _line(text, where, limit)
        kind, start = ("frame", line.frame) if line.frame is not None else ("time", line.time or 0.0)
        changed += found.get(start, people) != people
        found[start] = people
        kinds.add(kind)
        others.update((line.model_extra or {}).keys())
    if len(kinds) > 1:
        raise BadOption("--boxes", str(path), "has lines with frame and lines with time; use one of them throughout")
    starts = sorted(found)
    notes = [
        f"{path}: {key} is not used, in {count} of the lines; there is {', '.join(KEYS)}"
        for key, count in others.items()
    ]
    if changed:
        notes.append(f"{path}: a later line takes the place of an earlier one of the same frame, {changed} times")
    return BoxTrack(starts, [found[start] for start in starts], by_time=kinds == {"time"}, notes=tuple(notes))


def _line(text: str, where: str, limit: int) -> tuple[BoxLine, tuple[TrackedBox, ...]]:
    try:
        line = BoxLine.model_validate_json(text)
    except ValidationError as error:
        raise VideoError(f"{where}: {to_hiseg_error(error).detail.removeprefix('request: ')}") from error
    ids = [None] * len(line.boxes) if line.ids is None else line.ids
    if len(ids) != len(line.boxes):
        raise VideoError(f"{where}: ids has {len(ids)} for {len(line.boxes)} boxes; where nobody is known write null")
    for place, who in enumerate(ids):
        if isinstance(who, bool) or not isinstance(who, PersonId | None):
            raise VideoError(f"{where}: ids[{place}] is {who!r}, neither a whole number nor a text nor null")
    people = _people(line.boxes, ids, where, limit)
    if (line.frame is None) == (line.time is None):
        raise VideoError(f"{where}: give either frame or time")
    return line, people


def _plain(content: list[Any], path: Path, limit: int) -> BoxTrack:
    """Take an array of frames, each an array of boxes; or one array of boxes, for all frames."""
    if any(isinstance(row, list) and row and not isinstance(row[0], list | dict) for row in content):
        people = _line(dumps({"frame": 0, "boxes": content}), str(path), limit)[1]
        return BoxTrack((-math.inf,), (people,))
    frames = [
        _line(dumps({"frame": number, "boxes": rows}), f"{path}[{number}]", limit)[1]
        for number, rows in enumerate(content)
    ]
    return BoxTrack(range(len(frames)), frames)


def _by_frame(found: Detections, path: Path, limit: int) -> BoxTrack:
    """Gather what a tracker found, frame by frame."""
    frames: dict[int, list[Detection]] = {number: [] for number in found.frames}
    for each in found.boxes:
        frames.setdefault(each.frame, []).append(each)
    starts = sorted(frames)
    people = [
        _people(
            [each.row for each in frames[start]],
            [each.id for each in frames[start]],
            f"{path}, frame {start}",
            limit,
        )
        for start in starts
    ]
    return BoxTrack(starts, people, notes=found.notes)


def _people(
    rows: Sequence[Sequence[float]], ids: Sequence[PersonId | None], where: str, limit: int
) -> tuple[TrackedBox, ...]:
    try:
        boxes = to_boxes(rows, 0, 0)
        check_count(len(boxes), limit)
    except HisegError as error:
        raise VideoError(f"{where}: {error}") from error
    twice = [who for who, count in Counter(ids).items() if who is not None and count > 1]
    if twice:
        raise VideoError(f"{where}: two boxes have the id {twice[0]!r}")
    return tuple(map(TrackedBox, boxes, ids))
