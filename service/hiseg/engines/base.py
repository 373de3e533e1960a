"""What every engine offers, and the values that go in and out of it: model description, batch, prediction, cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any, Protocol

import numpy as np

from hiseg.core.canvas import Resize
from hiseg.core.image import Floats, Pixels, Size
from hiseg.core.result import ModelRef

MIN_COST_MS = 0.01
"""Lower limit of a predicted cost in milliseconds, so that nothing divides by zero."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Linear model of the engine time of a batch, in milliseconds; no part is negative.

    Attributes:
        constant: milliseconds for a batch as such.
        image: milliseconds for each image in it.
        roi: milliseconds for each RoI in it.
    """

    constant: float
    image: float
    roi: float

    def batch(self, images: int, rois: int) -> float:
        """Milliseconds that a batch takes."""
        return self.constant + self.image * images + self.roi * rois

    def job(self, rois: int) -> float:
        """Milliseconds that one image with ``rois`` boxes adds to a batch; never quite 0."""
        return max(MIN_COST_MS, self.image + self.roi * rois)


UNKNOWN_COST = Cost(4.0, 4.0, 1.0)
"""Cost of a model whose metadata doesn't say how much it computes: about what upstream's B0 takes on a GPU, where a
batch as such costs as much as four and a half RoIs."""


class Outputs(Flag):
    """What a model's graph computes, or somebody needs of it."""

    MASKS = auto()
    """A mask for each box."""
    FOREGROUND = auto()
    """The probability that anybody is there, for each pixel of the canvas."""
    BOXES = auto()
    """A box for each person in the image, with a score: who gives them is a finder."""
    BOTH = MASKS | FOREGROUND

    @property
    def names(self) -> list[str]:
        """Their names, as callers read them."""
        return [str(output.name).lower() for output in self]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as its own file describes it.

    Attributes:
        ref: name, version, variant, engine and precision.
        canvases: (height, width) the model accepts.
        resize: how images are brought to a canvas.
        mask_size: (height, width) of one person's logits; (0, 0) if the graph gives no masks.
        takes_uint8: whether images are given as uint8 0..255; else as float32 0..1.
        cost_prior: expected cost of a batch before any has run, from which the cost model starts.
        card: everything else in the metadata: licence, training data, metrics, size of the file in bytes.
        crop_scale: side of the area that a person's logits cover, as a multiple of the box's side.
        outputs: what the graph computes; nothing else may be requested of it.
    """

    ref: ModelRef
    canvases: tuple[Size, ...]
    resize: Resize
    mask_size: Size
    takes_uint8: bool
    cost_prior: Cost = UNKNOWN_COST
    card: dict[str, Any] = field(default_factory=dict)
    crop_scale: float = 1.0
    outputs: Outputs = Outputs.BOTH

    @property
    def has_masks(self) -> bool:
        """Whether the graph gives a mask for each box; else it gives the foreground, and a finder boxes."""
        return Outputs.MASKS in self.outputs

    @property
    def is_finder(self) -> bool:
        """Whether the graph finds the people in an image."""
        return Outputs.BOXES in self.outputs

    def keeps(self, before: ModelInfo) -> bool:
        """Whether this version can take another's place: masks, or all of a model without, must not go."""
        kept = Outputs.MASKS if before.has_masks else before.outputs
        return kept in self.outputs

    def describe(self) -> dict[str, Any]:
        """The description as plain values, as ``/v1/models`` and ``/v1/info`` answer it."""
        of_masks = {"mask_size": list(self.mask_size), "mask_extent": self.crop_scale} if self.has_masks else {}
        return {
            "name": self.ref.name,
            "version": self.ref.version,
            "variant": self.ref.variant,
            "engine": self.ref.engine,
            "precision": self.ref.precision,
            "outputs": self.outputs.names,
            "canvases": [list(canvas) for canvas in self.canvases],
            **of_masks,
            "card": self.card,
        }


def with_masks(models: Iterable[ModelInfo]) -> list[ModelRef]:
    """Those of some models that give masks: the ones that may answer for a variant."""
    return [model.ref for model in models if model.has_masks]


def no_boxes() -> Floats:
    """The boxes of a batch where none were requested: float32 ``[0, 6]``."""
    return np.zeros((0, 6), dtype=np.float32)


ROI_COUNTS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
"""RoI counts that batches for a GPU are padded to: a GPU prepares its kernels anew for each shape that it meets."""


@dataclass(frozen=True, slots=True)
class BatchMeta:
    """What goes with a batch besides its tensors.

    Attributes:
        requested: outputs that somebody in the batch needs.
        deadline: time on :func:`time.monotonic`'s clock after which nobody needs the answer; None: no limit.
        cost_ms: predicted milliseconds of engine time.
        traceparent: trace context (W3C) of the oldest request in the batch that has one; empty if none has.
    """

    requested: Outputs = Outputs.BOTH
    deadline: float | None = None
    cost_ms: float = 0.0
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Input of one run of a model.

    Attributes:
        images: uint8 ``[B, 3, H, W]``, RGB, all on the same canvas.
        rois: float32 ``[N, 5]``, ``batch_index x1 y1 x2 y2``, coordinates 0..1 of the canvas; N may be 0.
        meta: requested outputs, deadline, predicted cost and trace context.
    """

    images: Pixels
    rois: Floats
    meta: BatchMeta = BatchMeta()


@dataclass(frozen=True, slots=True)
class Prediction:
    """Output of one run, whichever outputs the model has.

    Attributes:
        logit_margins: float32 ``[N, mask_h, mask_w]``, log-odds of "this pixel is the person" over its box, or over one
            ``crop_scale`` times as large; ``[0, ...]`` if masks weren't requested.
        foreground: float32 ``[B, h, w]``, probability that any person is there, over all of the canvas, of which a
            finder may see fewer pixels; ``[B, 0, 0]`` if it wasn't requested.
        model: the model, version and engine that computed it.
        crop_scale: side of the area that the margins cover, as a multiple of the box's side.
        boxes: float32 ``[M, 6]``, rows ``batch_index x1 y1 x2 y2 score`` of the people that a finder found, in any
            order, coordinates 0..1 of the canvas; ``[0, 6]`` if they weren't requested.
    """

    logit_margins: Floats
    foreground: Floats
    model: ModelRef
    crop_scale: float = 1.0
    boxes: Floats = field(default_factory=no_boxes)


class Engine(Protocol):
    """Runs one model."""

    @property
    def info(self) -> ModelInfo:
        """Description of the model."""

    @property
    def slots(self) -> int:
        """Number of batches that run at once without slowing each other down; 0 while none can run."""

    @property
    def max_in_flight(self) -> int:
        """Number of batches that may be given to the engine at once.

        Those beyond :attr:`slots` share the slots: all of them together are done sooner, each of them later.
        """

    @property
    def roi_counts(self) -> tuple[int, ...]:
        """RoI counts that the engine was warmed up for, ascending; batches are padded to the next. Empty: any."""

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called on the event loop whenever :attr:`slots` changes; ignored where it never does."""

    async def infer(self, batch: Batch) -> Prediction:
        """Run one batch; rows come back in the order sent.

        When the call is cancelled it ends as soon as the engine is free for another batch.

        Raises:
            Unavailable: the engine can't run now.
            DeadlineExceeded: the batch wasn't done by its deadline.
        """

    def close(self) -> None:
        """Release threads, memory and connections; no other call may follow."""


def logit_margins(masks: Floats) -> Floats:
    """Log-odds of the target against its strongest rival, from either kind of mask output.

    Args:
        masks: float32 ``[N, 3, h, w]`` logits (0 background, 1 target, 2 other people), or ``[N, 1, h, w]`` 0/1.

    Returns:
        float32 ``[N, h, w]``: ``target - max(others)``, positive exactly where argmax is the target. Its sigmoid is the
        probability of the target against its strongest rival. 0/1 masks become -8/8.
    """
    if masks.shape[1] == 1:
        return np.asarray((masks[:, 0] - 0.5) * 16, dtype=np.float32)
    return np.asarray(masks[:, 1] - np.maximum(masks[:, 0], masks[:, 2]), dtype=np.float32)


def no_logit_margins(size: Size) -> Floats:
    """The logit margins of a batch whose masks weren't requested: float32 ``[0, h, w]``."""
    return np.zeros((0, *size), dtype=np.float32)


def no_foreground(images: int) -> Floats:
    """The foreground of a batch of ``images`` images where it wasn't requested: float32 ``[B, 0, 0]``."""
    return np.zeros((images, 0, 0), dtype=np.float32)
