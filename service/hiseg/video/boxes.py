"""Which boxes belong to which frame: a file of JSON lines, or the same boxes for all frames."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from json import detect_encoding, dumps, loads
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hiseg.api.boxes import check_count, parse_boxes, to_boxes
from hiseg.api.validation import to_hiseg_error
from hiseg.core.box import Box
from hiseg.core.command_errors import BadOption
from hiseg.core.errors import HisegError
from hiseg.video.frame import VideoError

TIME_TOLERANCE_S = 0.001
"""Times are often rounded to milliseconds, so a line counts for a frame that is this many seconds earlier."""


KEYS = ("frame", "time", "boxes")
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


@dataclass(frozen=True, slots=True)
class BoxTrack:
    """Boxes over time.

    Attributes:
        starts: frame numbers or seconds at which the boxes change, strictly ascending.
        boxes: the boxes that count from each start on.
        by_time: whether ``starts`` are seconds instead of frame numbers.
        notes: what was not taken from the file as it stands there, in sentences.
    """

    starts: Sequence[float]
    boxes: Sequence[tuple[Box, ...]]
    by_time: bool = False
    notes: tuple[str, ...] = ()

    def at(self, number: int, time: float) -> tuple[Box, ...]:
        """Return the boxes of a frame: its own, or the latest earlier ones, or none."""
        after = bisect_right(self.starts, time + TIME_TOLERANCE_S if self.by_time else number)
        return self.boxes[after - 1] if after else ()

    def behind(self, number: int, time: float) -> str:
        """Return a sentence about lines for frames after the last one of a video; empty if there are none."""
        after = bisect_right(self.starts, time + TIME_TOLERANCE_S if self.by_time else number)
        if after == len(self.starts):
            return ""
        lines = f"{len(self.starts) - after} of {len(self.starts)} lines of --boxes are for frames after the last one"
        unit = "at {:g} s" if self.by_time else "number {:g}"
        last = unit.format(round(time, 3) if self.by_time else number)
        return f"{lines}, {last}; the first of them is {unit.format(self.starts[after])}"

    @property
    def is_empty(self) -> bool:
        """Whether there is no box at all."""
        return not any(self.boxes)


def same_boxes_for_all(options: Iterable[str], limit: int) -> BoxTrack:
    """Parse texts ``x1,y1,x2,y2``, one per person, as boxes for every frame.

    Raises:
        VideoError: a text is not a box, or there are more than ``limit``.
    """
    rows = [text.replace(";", " ") for text in options]
    try:
        boxes = to_boxes(parse_boxes(";".join(rows)), 0, 0)
        check_count(len(boxes), limit)
    except HisegError as error:
        raise VideoError(str(error)) from error
    return BoxTrack((-math.inf,), (boxes,))


def read_boxes(path: Path, limit: int) -> BoxTrack:
    """Read lines of JSON: ``{"frame": n, "boxes": [[x1, y1, x2, y2], …]}``.

    Instead of ``frame`` there may be ``"time"``, in seconds, and instead of lines an array of them. Empty lines and
    comments (``#``, ``//``) are skipped. Lines may come in any order; of two for the same frame the later one counts,
    which is noted, as are other keys.

    Raises:
        BadOption: the file can't be read, or mixes frames and times.
        VideoError: a line is wrong, or has more than ``limit`` boxes.
    """
    found: dict[float, tuple[Box, ...]] = {}
    kinds: set[str] = set()
    others: Counter[str] = Counter()
    changed = 0
    for where, text in _lines(path):
        line, boxes = _line(text, where, limit)
        kind, start = ("frame", line.frame) if line.frame is not None else ("time", line.time or 0.0)
        changed += found.get(start, boxes) != boxes
        found[start] = boxes
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


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each line, or of each element of an array.

    Raises:
        BadOption: the file can't be read.
        VideoError: it begins like an array, but is none.
    """
    try:
        content = path.read_bytes()
        text = content.decode(detect_encoding(content)).removeprefix("\ufeff")
    except OSError as error:
        raise BadOption("--boxes", str(path), f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadOption("--boxes", str(path), f"is no text in Unicode: byte {error.start} fits no character") from error
    if text.lstrip().startswith("["):
        try:
            rows = loads(text)
        except (ValueError, RecursionError) as error:
            raise VideoError(f"{path} begins like an array of JSON, but is none: {error}") from error
        yield from ((f"{path}[{index}]", dumps(row)) for index, row in enumerate(rows))
        return
    for number, line in enumerate(StringIO(text, newline=None), 1):
        if line.strip() and not line.lstrip().startswith(COMMENTS):
            yield f"{path}:{number}", line


def _line(text: str, where: str, limit: int) -> tuple[BoxLine, tuple[Box, ...]]:
    try:
        line = BoxLine.model_validate_json(text)
        boxes = to_boxes(line.boxes, 0, 0)
        check_count(len(boxes), limit)
    except ValidationError as error:
        raise VideoError(f"{where}: {to_hiseg_error(error).detail.removeprefix('request: ')}") from error
    except HisegError as error:
        raise VideoError(f"{where}: {error}") from error
    if (line.frame is None) == (line.time is None):
        raise VideoError(f"{where}: give either frame or time")
    return line, boxes
