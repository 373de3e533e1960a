"""The nouns every other module speaks: image, box, job, instance, result. No I/O, no framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
BoolMask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


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


class Picture(Protocol):
    """An image whose size is known, decoded or not."""

    @property
    def width(self) -> int:
        """Pixels, after EXIF rotation."""

    @property
    def height(self) -> int:
        """Pixels, after EXIF rotation."""

    @property
    def nbytes(self) -> int:
        """Memory it takes as it is."""

    def decode(self) -> Image:
        """The pixels; may take a while, so not on the event loop.

        Raises:
            UndecodableImage: truncated or damaged.
        """


@dataclass(frozen=True, slots=True)
class Image:
    """A decoded picture.

    Attributes:
        pixels: uint8 ``[H, W, 3]``, RGB, after EXIF rotation; pixel (0, 0) is top left.
        notes: what the decoder had to do that the caller should know, e.g. "first frame of 12".
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes

    def decode(self) -> Image:
        """Itself: a :class:`Picture` that needs no decoding."""
        return self


@dataclass(frozen=True, slots=True)
class Box:
    """One person's rectangle in image pixels; ``x2`` and ``y2`` are exclusive, fractions are legal."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def is_empty(self) -> bool:
        return self.x2 <= self.x1 or self.y2 <= self.y1

    @property
    def area(self) -> float:
        """Square pixels; of a box that isn't empty."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def clipped(self, width: int, height: int) -> Box:
        """The part of the box inside a ``width`` x ``height`` image; empty if they do not meet."""
        x1, x2 = (min(max(v, 0.0), float(width)) for v in (self.x1, self.x2))
        y1, y2 = (min(max(v, 0.0), float(height)) for v in (self.y1, self.y2))
        return Box(x1, y1, x2, y2)

    def times(self, factor: float) -> Box:
        """A box about the same centre, so many times as wide and as high; it may leave the image."""
        if factor == 1:
            return self
        across, down = (self.x2 - self.x1) * (factor - 1) / 2, (self.y2 - self.y1) * (factor - 1) / 2
        return Box(self.x1 - across, self.y1 - down, self.x2 + across, self.y2 + down)

    def as_tuple(self) -> tuple[float, float, float, float]:
        return self.x1, self.y1, self.x2, self.y2


@dataclass(frozen=True, slots=True)
class CropMask:
    """The pixels of one person: a crop of the image, never a full-size array.

    Attributes:
        left: column of the crop's first pixel in the image.
        top: row of the crop's first pixel in the image.
        pixels: bool ``[h, w]``; ``h`` or ``w`` may be 0.
    """

    left: int
    top: int
    pixels: BoolMask

    @classmethod
    def empty(cls) -> CropMask:
        """Nobody."""
        return cls(0, 0, np.zeros((0, 0), dtype=np.bool_))

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))


@dataclass(frozen=True, slots=True)
class Instance:
    """One person found in one box.

    Attributes:
        box: the box as sent, clipped to the image.
        mask: the person's pixels; some models draw them beyond the box too.
        score: mean target probability over the mask, 0..1; 0 for an empty mask.
    """

    box: Box
    mask: CropMask
    score: float

    @property
    def area(self) -> int:
        return self.mask.area


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model answered.

    Attributes:
        name: in the model repository.
        version: there.
        variant: ``b0``, ``b1`` or ``b7``.
        engine: what ran it: ``onnx`` (embedded), ``triton``, or ``onnx-fallback`` (embedded, since no Triton answers);
            empty: not said.
    """

    name: str
    version: str
    variant: str
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
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
        picture: the image, still encoded or not.
        boxes: one per person, any number, in the caller's order.
        model: name of the model that shall run it.
        mode: instance masks, or the foreground.
        finish: how the model's answer becomes masks.
        client: who asks; clients share the engine fairly.
        priority: an interactive job's client gets ten times the share of a batch job's.
        deadline: when the answer is worth nothing any more, on :func:`time.monotonic`'s clock; None: never.
        latest: a newer job of the client takes its place while it waits for the engine; for live video.
        traceparent: the caller's place in a distributed trace (W3C Trace Context); empty: none.
    """

    picture: Picture
    boxes: tuple[Box, ...]
    model: str
    mode: Mode = Mode.INSTANCE
    finish: Finish = Finish()
    client: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    latest: bool = False
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a job.

    Attributes:
        width: of the image, pixels.
        height: of the image, pixels.
        notes: what the decoder had to do that the caller should know.
        instances: one per box in the order sent; empty in binary mode.
        foreground: everybody at once; binary mode only.
        model: which model answered.
        timings_ms: stage name -> milliseconds, in the order the stages ran.
    """

    width: int
    height: int
    notes: tuple[str, ...]
    instances: tuple[Instance, ...]
    foreground: Instance | None
    model: ModelRef
    timings_ms: dict[str, float] = field(default_factory=dict)
