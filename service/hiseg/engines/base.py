"""The engine's contract, and what a model says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any, Protocol

import numpy as np

from hiseg.core.canvas import Resize, Size
from hiseg.core.image import Floats, Pixels
from hiseg.core.result import ModelRef

LEAST_MS = 0.01


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of the engine for a batch as such, for each image in it and for each RoI; none negative."""

    constant: float
    image: float
    roi: float

    def batch(self, images: int, rois: int) -> float:
        """Milliseconds of a batch."""
        return self.constant + self.image * images + self.roi * rois

    def job(self, rois: int) -> float:
        """Milliseconds that one image with ``rois`` boxes adds to a batch; never quite 0."""
        return max(LEAST_MS, self.image + self.roi * rois)


UNKNOWN_COST = Cost(4.0, 4.0, 1.0)
"""For a model that says nothing: about what the seed's B0 takes on a GPU (its intercept is four and a half RoIs)."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model, described by its own metadata.

    Attributes:
        ref: name, version and variant.
        canvases: (height, width) the model accepts.
        resize: how pictures are brought to a canvas.
        mask_size: (height, width) of one person's logits.
        takes_uint8: images are sent as 0..255 bytes, else as float32 0..1.
        cost_prior: what a batch is expected to cost before any has run.
        card: what else it says about itself: licence, training data, metrics, size.
        crop_scale: sides of what a person's logits cover, as multiples of the box's.
        foreground_boxes: whether boxes change the foreground.
    """

    ref: ModelRef
    canvases: tuple[Size, ...]
    resize: Resize
    mask_size: Size
    takes_uint8: bool
    cost_prior: Cost = UNKNOWN_COST
    card: dict[str, Any] = field(default_factory=dict)
    crop_scale: float = 1.0
    foreground_boxes: bool = False

    def describe(self) -> dict[str, Any]:
        """The same as plain values, for people and JSON."""
        return {
            "name": self.ref.name,
            "version": self.ref.version,
            "variant": self.ref.variant,
            "engine": self.ref.engine,
            "canvases": [list(canvas) for canvas in self.canvases],
            "mask_size": list(self.mask_size),
            "mask_extent": self.crop_scale,
            "card": self.card,
        }


ROI_COUNTS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
"""For GPUs, which prepare themselves for each new shape."""


DANGEROUS = "dangerous"
"""Reason of an :class:`Unavailable`: the batch may be what brought its servers down, and must not be run again."""


class RequestedOutputs(Flag):
    """Which outputs anybody looks at; the others need not be sent back."""

    MASKS = auto()
    FOREGROUND = auto()
    BOTH = MASKS | FOREGROUND


@dataclass(frozen=True, slots=True)
class BatchMeta:
    """What goes with a batch besides its tensors.

    Attributes:
        wants: outputs that somebody in the batch looks at.
        deadline: when nobody in it wants the answer any more, on :func:`time.monotonic`'s clock; None: never.
        cost_ms: what it is predicted to take.
        traceparent: of the oldest request in it that is traced (W3C Trace Context); empty: none is.
    """

    requested: RequestedOutputs = RequestedOutputs.BOTH
    deadline: float | None = None
    cost_ms: float = 0.0
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Input of one run.

    Attributes:
        images: uint8 ``[B, 3, H, W]``, RGB, all on the same canvas.
        rois: float32 ``[N, 5]``, ``batch_index x1 y1 x2 y2``, coordinates 0..1 of the canvas; N may be 0.
        terms: what is wanted, and until when.
    """

    images: Pixels
    rois: Floats
    meta: BatchMeta = BatchMeta()


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output of one run, the same for both generations of model outputs.

    Attributes:
        logit_margins: float32 ``[N, mask_h, mask_w]``, log-odds of "this pixel is the person" over its box, or over one
            ``crop_scale`` times as large; ``[0, ...]`` if masks weren't wanted.
        foreground: float32 ``[B, H, W]``, probability that anybody is there; ``[B, 0, 0]`` if it wasn't wanted.
        model: what really made it.
        crop_scale: sides of what the margins cover, as multiples of the box's.
    """

    logit_margins: Floats
    foreground: Floats
    model: ModelRef
    crop_scale: float = 1.0


class Engine(Protocol):
    """Runs one model."""

    @property
    def info(self) -> ModelInfo:
        """What the model says about itself."""

    @property
    def slots(self) -> int:
        """Batches it runs at once, none at another's expense; 0 while it can run none."""

    @property
    def room(self) -> int:
        """Batches it takes at once. Those beyond :attr:`slots` share them: all together are done sooner, each later."""

    @property
    def roi_counts(self) -> tuple[int, ...]:
        """Numbers of RoIs it was warmed up for, ascending: others are padded to the next. Empty: any is as good."""

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called, on the event loop, whenever :attr:`slots` is another. Ignored where it never is."""

    async def infer(self, batch: Batch) -> Prediction:
        """Run one batch; rows come back in the order sent.

        Cancelled, since nobody waits any more, it ends as soon as the engine is free for another batch.

        Raises:
            Unavailable: the engine can't run now.
            DeadlineExceeded: not done by the batch's deadline.
        """

    def close(self) -> None:
        """Give everything back; no call may follow."""


def logit_margins(masks: Floats) -> Floats:
    """How far the target leads, from either form of a model's mask output.

    Args:
        masks: float32 ``[N, 3, h, w]`` logits (0 background, 1 target, 2 other people), or ``[N, 1, h, w]`` 0/1.

    Returns:
        float32 ``[N, h, w]``: ``target - max(others)``, positive exactly where argmax is the target. Its
        sigmoid is the probability of the target against its strongest rival. 0/1 masks become -8/8.
    """
    if masks.shape[1] == 1:
        return np.asarray((masks[:, 0] - 0.5) * 16, dtype=np.float32)
    return np.asarray(masks[:, 1] - np.maximum(masks[:, 0], masks[:, 2]), dtype=np.float32)


def no_logit_margins(size: Size) -> Floats:
    """Those of a batch whose masks nobody wants, float32 ``[0, h, w]``."""
    return np.zeros((0, *size), dtype=np.float32)


def no_foreground(images: int) -> Floats:
    """That of a batch whose foreground nobody wants, float32 ``[B, 0, 0]``."""
    return np.zeros((images, 0, 0), dtype=np.float32)
