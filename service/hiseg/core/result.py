"""A result: one instance for each box, with its mask and score, and the model that made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from hiseg.core.box import Box
from hiseg.core.image import BoolMask


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
        """Return a mask without pixels."""
        return cls(0, 0, np.zeros((0, 0), dtype=np.bool_))

    @property
    def region(self) -> tuple[slice, slice]:
        """Index of the crop in an array ``[H, W, ...]`` of the whole image."""
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def area(self) -> int:
        """Number of the person's pixels."""
        return int(np.count_nonzero(self.pixels))


@dataclass(frozen=True, slots=True)
class Found:
    """That a person's box wasn't sent, but found.

    Attributes:
        score: how sure the finder is that somebody is there, 0..1.
    """

    score: float


@dataclass(frozen=True, slots=True)
class Instance:
    """One person in one box.

    Attributes:
        box: the box as sent or found, clipped to the image.
        mask: the person's pixels; models whose crop is larger than the box find some outside of it too.
        score: mean probability of the person over the mask, 0..1; 0 for an empty mask.
        found: how surely the box was found; None: it was sent.
    """

    box: Box
    mask: CropMask
    score: float
    found: Found | None = None

    @property
    def area(self) -> int:
        """Number of the person's pixels."""
        return self.mask.area


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model answered.

    Attributes:
        name: its name in the model repository.
        version: its version there.
        variant: ``b0``, ``b1`` or ``b7``.
        engine: what ran it: ``onnx`` (embedded), ``triton``, or ``onnx-fallback`` (embedded, since no Triton answers);
            empty if that is not known.
        precision: ``fp32``, ``fp16`` or ``int8``: what its weights are stored in; empty if that is not known.
    """

    name: str
    version: str
    variant: str
    engine: str = ""
    precision: str = ""


class ForegroundSource(StrEnum):
    """What the mask of everybody at once was made of."""

    INSTANCES = "instances"
    """The masks of the people in the boxes: their union."""
    IMAGE = "image"
    """The image as a whole: anybody that the model saw in it."""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a job.

    Attributes:
        width: width of the image in pixels, after EXIF rotation.
        height: height of the image in pixels, after EXIF rotation.
        notes: what the decoder did to the image, and what there is to say of the boxes.
        instances: one per box in the order sent, then those found, the surest first; empty in binary mode.
        foreground: everybody at once, in a box as large as the image; None unless the mode is binary.
        model: which model answered.
        timings_ms: milliseconds of each stage by its name, in the order in which the stages ran.
        foreground_source: what the foreground was made of; None unless the mode is binary.
        united: the instances whose union the foreground is, in the order of instances; they are in no answer.
        finder: the model that found people; None: nobody was looked for.
    """

    width: int
    height: int
    notes: tuple[str, ...]
    instances: tuple[Instance, ...]
    foreground: Instance | None
    model: ModelRef
    timings_ms: dict[str, float] = field(default_factory=dict)
    foreground_source: ForegroundSource | None = None
    united: tuple[Instance, ...] = ()
    finder: ModelRef | None = None

    @property
    def people(self) -> tuple[Instance, ...]:
        """The people in the boxes, in the order of instances, whether the answer has them or their union."""
        return self.united or self.instances

    @property
    def masks(self) -> list[CropMask]:
        """The masks of all instances, or in binary mode that of the foreground alone."""
        return [found.mask for found in ([self.foreground] if self.foreground else self.instances)]
