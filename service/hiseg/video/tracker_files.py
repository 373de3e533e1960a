"""Reads the boxes that other programs found: MOTChallenge's tables, COCO with frames of a video, supervision's JSON."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from hiseg.core.coco_file import AnnotationError, check_coco, image_rows, person_categories
from hiseg.core.json_file import UnreadableJson, parse_json
from hiseg.video.boxes import PersonId
from hiseg.video.frame import VideoError

NO_ID = -1
"""What MOTChallenge's tables have in place of an id where nobody was tracked."""
MIN_COLUMNS = 6
FRAME_KEYS = ("frame", "frame_id", "frame_index", "frame_number")
"""What files call the number of a frame, from 0."""
ID_KEYS = ("track_id", "instance_id", "tracker_id")
"""What COCO files of videos call a person's id, in an annotation or in its ``attributes``."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Somebody in a frame.

    Attributes:
        frame: number of the frame, from 0.
        row: x1, y1, x2, y2, pixels.
        id: who it is; None where nobody says.
    """

    frame: int
    row: tuple[float, float, float, float]
    id: PersonId | None


@dataclass(frozen=True, slots=True)
class Detections:
    """All that is in a file.

    Attributes:
        boxes: everybody, in the file's order.
        frames: numbers of frames that were looked at, though nobody may be in them.
        notes: what was not taken as it stands there, in sentences.
    """

    boxes: list[Detection]
    frames: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def read_mot(text: str, path: Path) -> Detections:
    """Read MOTChallenge's table: ``frame, id, x, y, width, height`` and more, between commas or blanks.

    Frames count from 1, unless there is a frame 0. Rows whose seventh number, the confidence, is 0 are left out: in
    files of truth those are what isn't to count.

    Raises:
        VideoError: a row has too few numbers, or something else in it.
    """
    found, left_out = [], 0
    for line_number, line in enumerate(StringIO(text, newline=None), 1):
        parts = line.split(",") if "," in line else line.split()
        if not line.strip():
            continue
        try:
            numbers = [float(part) for part in parts if part.strip()]
            frame, who = (_whole(number) for number in numbers[:2])
        except ValueError as error:
            raise VideoError(f"{path}:{line_number}: it should be numbers: frame, id, x, y, width, height") from error
        if len(numbers) < MIN_COLUMNS:
            words = f"it has {len(numbers)} numbers; a row of MOT has frame, id, x, y, width, height and more"
            raise VideoError(f"{path}:{line_number}: {words}")
        if frame < 0:
            raise VideoError(f"{path}:{line_number}: frame is {frame}, below 0")
        x, y, width, height = numbers[2:MIN_COLUMNS]
        if numbers[MIN_COLUMNS : MIN_COLUMNS + 1] == [0]:
            left_out += 1
            continue
        found.append(Detection(frame, (x, y, x + width, y + height), None if who == NO_ID else who))
    notes = [f"{path}: {left_out} rows with a confidence of 0 are left out"] if left_out else []
    first = 0 if any(each.frame == 0 for each in found) else 1
    if not first:
        notes.append(f"{path}: there is a frame 0, so frames count from 0 (MOT counts from 1)")
    return Detections([Detection(each.frame - first, each.row, each.id) for each in found], notes=tuple(notes))


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError(f"{number} is no whole number")
    return int(number)


def is_coco(text: str) -> bool:
    """Whether a text seems to be a COCO file."""
    return text.startswith("{") and '"images"' in text and '"annotations"' in text


def read_coco(text: str, path: Path) -> Detections:
    """Read a COCO file whose images are the frames of one video.

    Which frame an image is is said by :data:`FRAME_KEYS`, or by the last number in its file name, from 0 or 1 on; who
    is in a box by :data:`ID_KEYS`. Images without annotations are frames with nobody in them.

    Raises:
        VideoError: it isn't one, or has several videos, or an image that is no frame.
    """
    try:
        content = check_coco(parse_json(text.encode(), path), path)
        images = image_rows(content, path)
    except (AnnotationError, UnreadableJson) as error:
        raise VideoError(str(error)) from error
    notes = []
    videos = {str(row["video_id"]) for _, row in images.values() if "video_id" in row}
    if len(videos) > 1:
        raise VideoError(f"{path} has {len(videos)} videos in it ({', '.join(sorted(videos)[:3])}, …); give one's")
    try:
        people = person_categories(content, path)
    except AnnotationError:
        people = None
        if content.get("categories"):
            notes.append(f"{path}: no category is named 'person', so the boxes of all of them are taken")
    frames = _frames_of(images, path)
    found, others = [], 0
    for index, row in enumerate(content["annotations"]):
        where = f"{path}: annotations[{index}]"
        if not isinstance(row, dict) or row.get("image_id") not in frames:
            raise VideoError(f"{where} belongs to no image of the file")
        if people is not None and row.get("category_id") not in people:
            others += 1
            continue
        x, y, width, height = _four(row.get("bbox"), where)
        attributes = row.get("attributes")
        who = _first(ID_KEYS, row, attributes if isinstance(attributes, dict) else {})
        found.append(Detection(frames[row["image_id"]], (x, y, x + width, y + height), _id(who, where)))
    if others:
        notes.append(f"{path}: {others} boxes of other categories than person are left out")
    return Detections(found, tuple(frames.values()), tuple(notes))


def _frames_of(images: dict[Any, tuple[int, dict[str, Any]]], path: Path) -> dict[Any, int]:
    """Return the number of the frame of each image, by its id."""
    found: dict[Any, int] = {}
    named = False
    for number, (index, row) in images.items():
        frame = _first(FRAME_KEYS, row)
        if frame is None:
            digits = re.findall(r"\d+", Path(str(row.get("file_name", ""))).stem)
            named, frame = True, int(digits[-1]) if digits else None
        if type(frame) is not int or frame < 0:
            words = f"has neither {' nor '.join(FRAME_KEYS)}, from 0, nor a number in its file name"
            raise VideoError(f"{path}: images[{index}] {words}")
        found[number] = frame
    if len(set(found.values())) < len(found):
        raise VideoError(f"{path}: several images are the same frame; give the file of one video")
    first = 1 if named and found and 0 not in found.values() else 0
    return {number: frame - first for number, frame in found.items()}


def read_supervision(content: list[Any], path: Path) -> Detections:
    """Read what supervision's ``JSONSink`` writes; each row needs the number of its frame, from 0, among its own data.

    Raises:
        VideoError: a row has no frame, or no box.
    """
    found, classes = [], Counter[str]()
    for index, row in enumerate(content):
        where = f"{path}[{index}]"
        if not isinstance(row, dict):
            raise VideoError(f"{where}: it should be an object, as the first one is")
        frame = _number(_first(FRAME_KEYS, row))
        if frame is None or frame < 0 or not frame.is_integer():
            words = f"it has no number of its frame; append(detections, custom_data={{{FRAME_KEYS[2]!r}: n}}) writes it"
            raise VideoError(f"{where}: {words}")
        corners = _four([row.get(key) for key in ("x_min", "y_min", "x_max", "y_max")], where)
        classes[str(row.get("class_id", ""))] += 1
        found.append(Detection(int(frame), corners, _id(row.get("tracker_id"), where)))
    several = f"{path}: boxes of {len(classes)} classes are taken, as if all were people"
    return Detections(found, notes=(several,) if len(classes) > 1 else ())


def _first(keys: tuple[str, ...], *rows: dict[str, Any]) -> Any:
    return next((row[key] for row in rows for key in keys if row.get(key) is not None), None)


def _four(values: Any, where: str) -> tuple[float, float, float, float]:
    numbers = [_number(value) for value in values] if isinstance(values, list) else []
    if len(numbers) != 4 or None in numbers:
        raise VideoError(f"{where} has no box of four numbers")
    first, second, third, fourth = (number or 0.0 for number in numbers)
    return first, second, third, fourth


def _number(value: Any) -> float | None:
    """Return a number, also one that was written as a text; None for anything else."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _id(value: Any, where: str) -> PersonId | None:
    if value is None or value in ("", NO_ID):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise VideoError(f"{where}: the id {value!r} is neither a whole number nor a text")
    return value
