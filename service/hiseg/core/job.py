"""What is requested of the service: an image with boxes, and how its masks are to be made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hiseg.core.box import Box
from hiseg.core.image import ImageSource

MAX_DILATION_PX = 100
"""Most image pixels by which masks may be grown."""
DEFAULT_TOLERANCE_PX, MAX_TOLERANCE_PX = 1.0, 100.0
"""How far, in pixels, the outlines of polygons are simplified, and at most may be."""


class Mode(StrEnum):
    """What is requested of the model."""

    INSTANCE = "instance"
    """One mask for each box."""
    BINARY = "binary"
    """One mask of everybody: the union of the masks of the boxes, or without boxes the foreground of the image."""


class Priority(StrEnum):
    """How urgently the answer is needed."""

    INTERACTIVE = "interactive"
    """Somebody waits for the answer."""
    BATCH = "batch"
    """The answer may take its time: the client gets a tenth of the share of an interactive one."""


class Smoothing(StrEnum):
    """Filter against noise in the model's probabilities, applied before a mask is cut out of them."""

    NONE = "none"
    EDGE = "edge"
    BILATERAL = "bilateral"


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """How masks are made of the model's output; the steps are taken in this order.

    Attributes:
        smoothing: filter of the probabilities, at the model's own resolution.
        threshold: probability above which a pixel belongs to the mask, in (0, 1).
        dilation_px: image pixels by which the mask grows on all sides, beyond its box too, but not beyond the image.
        resolve_overlaps: whether a pixel in several masks is left to the person of whom the model is most certain,
            and a person found twice to the first of the boxes.
    """

    smoothing: Smoothing = Smoothing.NONE
    threshold: float = 0.5
    dilation_px: int = 0
    resolve_overlaps: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether no step takes longer than drawing the masks."""
        return self.dilation_px == 0 and not self.resolve_overlaps


@dataclass(frozen=True, slots=True)
class Finding:
    """That people are to be found in an image, beside those whose boxes were sent.

    Attributes:
        threshold: score of the finder, 0..1, from which on somebody counts as found.
        max_people: most people that are found: the surest.
    """

    threshold: float
    max_people: int


@dataclass(frozen=True, slots=True)
class Job:
    """One image with its boxes, and what is requested of it.

    Attributes:
        image: encoded, a raw frame, or decoded.
        boxes: one for each person, any number, in the caller's order.
        model: name of the model that is asked for; without boxes another may answer in binary mode.
        mode: instance masks, or one mask of everybody.
        post_processing: how masks are made of the model's output.
        client: who sent the job, the key or the address: clients share the engine fairly, whatever they send.
        priority: decides the client's share of the engine.
        deadline: when the answer becomes worthless, in seconds of :func:`time.monotonic`'s clock; None: never.
        stream: number of the stream that the job is a frame of; None: of none. A client's streams take turns.
        latest: a newer job of the stream replaces this one while it waits for the engine; for live video.
        traceparent: the caller's trace context (W3C Trace Context); empty: not traced.
        notes: what the answer shall say of the boxes.
        finding: find people first, and give them masks after those of the boxes; None: only the boxes count.
    """

    image: ImageSource
    boxes: tuple[Box, ...]
    model: str
    mode: Mode = Mode.INSTANCE
    post_processing: PostProcessing = PostProcessing()
    client: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    stream: int | None = None
    latest: bool = False
    traceparent: str = ""
    notes: tuple[str, ...] = ()
    finding: Finding | None = None
