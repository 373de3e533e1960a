"""Which boxes belong to which frame: a JSONL file, or the same boxes for all frames."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hiseg.api.boxes import check_count, parse_boxes, to_boxes
from hiseg.core.box import Box
from hiseg.core.command_errors import BadOption
from hiseg.core.errors import HisegError
from hiseg.video.frame import VideoError

TIME_TOLERANCE_S = 0.001
"""Times are often rounded to milliseconds, so a line counts for a frame that is this many seconds earlier."""


class BoxLine(BaseModel):
    """One line of the file; other fields are ignored."""

    model_config = ConfigDict(strict=True)

    frame: Annotated[int, Field(ge=0)] | None = None
    time: Annotated[float, Field(allow_inf_nan=False)] | None = None
    boxes: list[list[float]]


@dataclass(frozen=True, slots=True)
class BoxTrack:
    """Boxes over time.

    Attributes:
        starts: frame numbers or seconds at which the boxes change, strictly ascending.
        boxes: the boxes that count from each start on.
        by_time: whether ``starts`` are seconds instead of frame numbers.
    """

    starts: Sequence[float]
    boxes: Sequence[tuple[Box, ...]]
    by_time: bool = False

    def at(self, number: int, time: float) -> tuple[Box, ...]:
        """Return the boxes of a frame: its own, or the latest earlier ones, or none."""
        after = bisect_right(self.starts, time + TIME_TOLERANCE_S if self.by_time else number)
        return self.boxes[after - 1] if after else ()

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
    """Read a JSONL file: ``{"frame": n, "boxes": [[x1, y1, x2, y2], …]}``, or ``"time": seconds`` instead of ``frame``.

    Lines may come in any order; of two for the same frame the later one counts.

    Raises:
        BadOption: the file can't be read, or mixes frames and times.
        VideoError: a line is wrong, or has more than ``limit`` boxes.
    """
    found: dict[float, tuple[Box, ...]] = {}
    kinds: set[str] = set()
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    kind, start, boxes = _line(text, f"{path}:{number}", limit)
                    found[start] = boxes
                    kinds.add(kind)
    except OSError as error:
        raise BadOption("--boxes", str(path), f"can't be read: {error.strerror}") from error
    if len(kinds) > 1:
        raise BadOption("--boxes", str(path), "has lines with frame and lines with time; use one of them throughout")
    starts = sorted(found)
    return BoxTrack(starts, [found[start] for start in starts], by_time=kinds == {"time"})


def _line(text: bytes, where: str, limit: int) -> tuple[str, float, tuple[Box, ...]]:
    try:
        line = BoxLine.model_validate_json(text)
        boxes = to_boxes(line.boxes, 0, 0)
        check_count(len(boxes), limit)
    except ValidationError as error:
        first = error.errors()[0]
        field = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in first["loc"])
        raise VideoError(f"{where}: {field + ': ' if field else ''}{first['msg']}") from error
    except HisegError as error:
        raise VideoError(f"{where}: {error}") from error
    if (line.frame is None) == (line.time is None):
        raise VideoError(f"{where}: give either frame or time")
    return ("frame", line.frame, boxes) if line.frame is not None else ("time", line.time or 0.0, boxes)
