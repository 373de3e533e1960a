"""Which boxes belong to which frame, and who is in them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hiseg.api.boxes import check_count, parse_boxes, to_boxes
from hiseg.core.box import Box
from hiseg.core.errors import HisegError
from hiseg.video.frame import VideoError

TIME_TOLERANCE_S = 0.001
"""Times are often rounded to milliseconds, so a line counts for a frame that is this many seconds earlier."""
PersonId = int | str
"""What a tracker calls a person, the same in all frames."""


@dataclass(frozen=True, slots=True)
class TrackedBox:
    """A box, and who is in it.

    Attributes:
        box: where the person is.
        id: who it is; None where nobody says.
    """

    box: Box
    id: PersonId | None = None


@dataclass(frozen=True, slots=True)
class FrameBoxes:
    """The boxes of one frame.

    Attributes:
        people: a box for each person.
        age: how much earlier the frame was that they were meant for, in frames, or in seconds where the track is by
            time; 0 for a frame's own.
    """

    people: tuple[TrackedBox, ...] = ()
    age: float = 0


@dataclass(frozen=True, slots=True)
class BoxTrack:
    """Boxes over time.

    Attributes:
        starts: frame numbers or seconds at which the boxes change, strictly ascending.
        people: the boxes that count from each start on.
        by_time: whether ``starts`` are seconds instead of frame numbers.
        notes: what was not taken from the file as it stands there, in sentences.
        max_age: frames or seconds for which boxes count at most after their start.
    """

    starts: Sequence[float]
    people: Sequence[tuple[TrackedBox, ...]]
    by_time: bool = False
    notes: tuple[str, ...] = ()
    max_age: float = math.inf

    def at(self, number: int, time: float) -> FrameBoxes:
        """Return the boxes of a frame: its own, or the latest earlier ones if they aren't too old, or none."""
        after = bisect_right(self.starts, time + TIME_TOLERANCE_S if self.by_time else number)
        if not after:
            return FrameBoxes()
        start = self.starts[after - 1]
        if start == -math.inf:
            return FrameBoxes(self.people[after - 1])
        age = round(time - start, 6) if self.by_time else number - start
        age = 0 if self.by_time and age <= TIME_TOLERANCE_S else age
        return FrameBoxes(self.people[after - 1], age) if age <= self.max_age else FrameBoxes()

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
        return not any(self.people)

    @property
    def ids(self) -> list[PersonId]:
        """Everybody who has an id, once, in the order in which they appear."""
        return list(dict.fromkeys(who.id for people in self.people for who in people if who.id is not None))


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
    return BoxTrack((-math.inf,), (tuple(map(TrackedBox, boxes)),))
