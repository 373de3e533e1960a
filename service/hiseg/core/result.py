"""A result: one instance for each box, with its mask and score, and the model that made them."""

from __future__ import annotations

from dataclasses import dataclass, field

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
