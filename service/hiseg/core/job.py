"""A job: one image with its boxes, and what is asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hiseg.core.box import Box
from hiseg.core.image import ImageSource


class Mode(StrEnum):
    """What is asked of the model: one mask per box, or one foreground for the whole image."""

    INSTANCE = "instance"
    BINARY = "binary"


class Priority(StrEnum):
    """Who waits for the answer: somebody now, or a job that may take its time."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Smoothing(StrEnum):
    """What is done about noise in the model's answer before a mask is cut out of it."""

    NONE = "none"
    EDGE = "edge"
    BILATERAL = "bilateral"


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """How the model's answer becomes masks; the steps are taken in this order.

    Attributes:
        smoothing: of the probabilities, at the model's own resolution.
        threshold: probability above which a pixel belongs to the mask, in (0, 1).
        dilation_px: image pixels by which the mask grows on all sides, beyond its box too, but not beyond the image.
        resolve_overlaps: a pixel that several masks claim is left to the person of whom the model is surest.
    """

    smoothing: Smoothing = Smoothing.NONE
    threshold: float = 0.5
    dilation_px: int = 0
    resolve_overlaps: bool = False

    @property
    def is_plain(self) -> bool:
        """Nothing is done that takes longer than drawing."""
        return self.dilation_px == 0 and not self.resolve_overlaps


@dataclass(frozen=True, slots=True)
class Job:
    """One image with its boxes, waiting for, or in, a batch.

    Attributes:
        image: the image, still encoded or not.
        boxes: one per person, any number, in the caller's order.
        model: name of the model that shall run it.
        mode: instance masks, or the foreground.
        post_processing: how the model's answer becomes masks.
        client: who asks; clients share the engine fairly.
        priority: an interactive job's client gets ten times the share of a batch job's.
        deadline: when the answer is worth nothing any more, on :func:`time.monotonic`'s clock; None: never.
        latest: a newer job of the client takes its place while it waits for the engine; for live video.
        traceparent: the caller's place in a distributed trace (W3C Trace Context); empty: none.
    """

    image: ImageSource
    boxes: tuple[Box, ...]
    model: str
    mode: Mode = Mode.INSTANCE
    post_processing: PostProcessing = PostProcessing()
    client: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    latest: bool = False
    traceparent: str = ""
