"""Draws the masks of a frame, and writes them as one line of JSON."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from hiseg.api.answer import InstanceOut, instance_to_json
from hiseg.api.encoding import MaskContext, MaskFormat
from hiseg.core.image import Image
from hiseg.core.result import Instance
from hiseg.masks.formats.overlay import overlay
from hiseg.video.frame import AnnotatedFrame, Frame


class FrameOut(BaseModel):
    """One line of ``--json``."""

    frame: int
    time: float
    instances: list[InstanceOut]


def annotate(frame: Frame, instances: Sequence[Instance], with_json: bool) -> AnnotatedFrame:
    """Draw the masks, one colour for each box; this takes milliseconds, so it isn't for the event loop."""
    pixels = overlay(frame.pixels, instances) if instances else frame.pixels
    return AnnotatedFrame(frame, pixels, to_json_line(frame, instances) if with_json else b"")


def to_json_line(frame: Frame, instances: Sequence[Instance]) -> bytes:
    """Write the masks of a frame as JSON, with the fields that the service's answer has."""
    context = MaskContext(Image(frame.pixels))
    found = [instance_to_json(instance, MaskFormat.COCO_RLE, context) for instance in instances]
    line = FrameOut(frame=frame.number, time=round(frame.time, 6), instances=found)
    return line.model_dump_json().encode() + b"\n"
