"""Draws the masks of a frame, and writes them as one line of JSON."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from hiseg.api.answer import InstanceOut, instance_to_json
from hiseg.api.encoding import MaskContext, MaskFormat
from hiseg.core.image import Image
from hiseg.core.result import Instance
from hiseg.masks.formats.overlay import Mark
from hiseg.video.boxes import FrameBoxes, PersonId, TrackedBox
from hiseg.video.frame import AnnotatedFrame, Frame
from hiseg.video.looks import Style


class PersonOut(InstanceOut):
    """A person, as the service's answer has it, and who it is."""

    id: PersonId | None = None


class FrameOut(BaseModel):
    """One line of ``--json``."""

    frame: int
    time: float
    boxes_age: float
    instances: list[PersonOut]


class Marker:
    """Gives each person a colour and a name, the same in all frames.

    Args:
        ids: everybody who has an id, in the order of their colours.
    """

    def __init__(self, ids: Sequence[PersonId]) -> None:
        self._colours = {who: index for index, who in enumerate(ids)}

    def marks(self, people: Sequence[TrackedBox]) -> list[Mark]:
        """Return the colour of each box, and the name that is written on it: its id, or its place among several."""
        numbered = len(people) > 1
        return [
            Mark(str(who.id), self._colours[who.id]) if who.id is not None else Mark(str(place + 1) * numbered, place)
            for place, who in enumerate(people)
        ]


def annotate(
    frame: Frame, boxes: FrameBoxes, instances: Sequence[Instance], marker: Marker, style: Style, with_json: bool
) -> AnnotatedFrame:
    """Draw the people in their style; this takes milliseconds, so it isn't for the event loop."""
    pixels = style.draw(frame.pixels, instances, marker.marks(boxes.people))
    return AnnotatedFrame(frame, pixels, to_json_line(frame, boxes, instances) if with_json else b"")


def to_json_line(frame: Frame, boxes: FrameBoxes, instances: Sequence[Instance]) -> bytes:
    """Write the masks of a frame as JSON, with the fields that the service's answer has, ids and the boxes' age."""
    context = MaskContext(Image(frame.pixels))
    found = [
        PersonOut(id=who.id, **dict(instance_to_json(instance, MaskFormat.COCO_RLE, context)))
        for who, instance in zip(boxes.people, instances, strict=True)
    ]
    line = FrameOut(frame=frame.number, time=round(frame.time, 6), boxes_age=boxes.age, instances=found)
    return line.model_dump_json(exclude_none=True).encode() + b"\n"
