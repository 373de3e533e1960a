"""Writes the network that says where anybody is as a file of its own, with the tensors of the seed's UNet files."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.compat.foreground import Foreground
from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import Size
from hiseg_training.export.onnx import OPSETS, STEP, check_opset, example, fold_sequences, simplified, write_checked
from hiseg_training.models.coarse import CoarseStage, reduce
from hiseg_training.models.outputs import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True)
class UNetForm:
    """What can be chosen of the file.

    Attributes:
        canvas: (height, width).
        batch: images at a time.
        dynamic: batch, height and width may be any; ``canvas`` and ``batch`` are only what it is tried with.
        opset: of ONNX.

    Raises:
        ValueError: one of them can't be had; names it, and what can.
    """

    canvas: Size = (640, 640)
    batch: int = 1
    dynamic: bool = False
    opset: int = OPSETS[0]

    def __post_init__(self) -> None:
        check_opset(self.opset)
        for name, side in zip(("height", "width"), self.canvas, strict=True):
            if side < STEP or side % STEP:
                raise ValueError(f"{name}: {side} is not a multiple of {STEP}")
        if self.batch < 1:
            raise ValueError(f"batch_size: {self.batch} is less than 1")


class Logits(nn.Module):
    """A foreground network as the seed's files have it."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, stage: CoarseStage | UNetStage, reduction: int) -> None:
        super().__init__()
        self.stage, self.reduction = stage, reduction
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Log-odds of a person, float ``[B, 1, H, W]``.

        Args:
            images: RGB, float ``[B, 3, H, W]``: of 0..1, less ImageNet's mean, by its standard deviation.
        """
        logits: torch.Tensor = self.stage(reduce(images * self.std + self.mean, self.reduction)).logits
        if isinstance(self.stage, UNetStage):
            return logits
        return F.interpolate(logits, size=images.shape[2:], mode="bilinear", align_corners=False)


def export_unet(found: Foreground, path: Path, form: UNetForm, simplify: bool = True) -> float:
    """Write ``path``: ``input`` in, ``output`` out, as :class:`Logits` says.

    Returns:
        The largest difference seen between PyTorch and ONNX Runtime.

    Raises:
        ParityError: it is over the tolerance.
    """
    judge = Logits(found.stage, found.reduction).eval()
    folded = copy.deepcopy(judge)
    fold_sequences(folded)
    side = torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        folded,
        # One image alone would make the exporter take the batch for fixed.
        (_images(form.canvas, max(2, form.batch) if form.dynamic else form.batch),),
        dynamo=True,
        opset_version=form.opset,
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1), 2: side, 3: side},) if form.dynamic else None,
        verbose=False,
    )
    assert program is not None
    proto = simplified(program.model_proto) if simplify else program.model_proto
    said = {"variant": found.variant, "class_names": ["person"], "input": "ImageNet-normalised RGB", "output": "logit"}
    return write_checked(proto, path, judge, said, _trials(form))


def _trials(form: UNetForm) -> Iterator[dict[str, torch.Tensor]]:
    yield {"input": _images(form.canvas, form.batch)}
    if form.dynamic:
        height, width = form.canvas
        yield {"input": _images((width, height + STEP), form.batch + 1)}


def _images(canvas: Size, batch: int) -> torch.Tensor:
    images, _ = example((batch, 3, *canvas), 0, dtype="float32")
    return (images - torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)) / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
