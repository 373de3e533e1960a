"""Export the foreground network alone, with the input and output of upstream's UNet files."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.compat.foreground import ForegroundNetwork
from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import Size
from hiseg_training.export.forms import OPSETS
from hiseg_training.export.onnx import (
    STEP,
    check_opset,
    example_inputs,
    fold_sequences,
    quiet_exporter,
    simplify_graph,
    write_verified,
)
from hiseg_training.models.coarse import CoarseNetwork, reduce
from hiseg_training.models.encoder import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True)
class UNetExportOptions:
    """Options of the exported file.

    Attributes:
        canvas: (height, width).
        batch: images in a batch.
        dynamic: leave batch, height and width free; ``canvas`` and ``batch`` are then only the sizes it is tried with.
        opset: version of ONNX's operators.

    Raises:
        ValueError: a value isn't allowed; the message names the option and what is.
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


class NormalisedInput(nn.Module):
    """A foreground network with the input and output of upstream's files.

    Args:
        stage: the network.
        reduction: canvas pixels along a side that become one pixel of its input.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, stage: CoarseNetwork, reduction: int) -> None:
        super().__init__()
        self.stage, self.reduction = stage, reduction
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Predict the foreground.

        Args:
            images: RGB values 0..1 less ImageNet's mean, divided by its standard deviation, float ``[B, 3, H, W]``.

        Returns:
            Log-odds of a person, float ``[B, 1, H, W]``.
        """
        logits: torch.Tensor = self.stage(reduce(images * self.std + self.mean, self.reduction)).logits
        if isinstance(self.stage, UNetStage):
            return logits
        return F.interpolate(logits, size=images.shape[2:], mode="bilinear", align_corners=False)


def export_unet(network: ForegroundNetwork, path: Path, options: UNetExportOptions, simplify: bool = True) -> float:
    """Write an ONNX file with the input ``input`` and the output ``output``, as :class:`NormalisedInput` has them.

    Args:
        network: to export.
        path: of the file.
        options: of the file.
        simplify: reduce the graph.

    Returns:
        The largest difference seen between PyTorch and ONNX Runtime.

    Raises:
        ParityError: it is over the tolerance.
    """
    reference = NormalisedInput(network.stage, network.reduction).eval()
    folded = copy.deepcopy(reference)
    fold_sequences(folded)
    side = torch.export.Dim.DYNAMIC
    with quiet_exporter():
        program = torch.onnx.export(
            folded,
            # With a batch of one image the exporter would take the batch size for fixed.
            (_images(options.canvas, max(2, options.batch) if options.dynamic else options.batch),),
            dynamo=True,
            opset_version=options.opset,
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1), 2: side, 3: side},) if options.dynamic else None,
            verbose=False,
        )
    assert program is not None
    proto = simplify_graph(program.model_proto) if simplify else program.model_proto
    metadata = {
        "variant": network.variant,
        "class_names": ["person"],
        "input": "ImageNet-normalised RGB",
        "output": "logit",
    }
    return write_verified(proto, path, reference, metadata, _trials(options))


def _trials(options: UNetExportOptions) -> Iterator[dict[str, torch.Tensor]]:
    """Inputs that the file is tried with, by name."""
    yield {"input": _images(options.canvas, options.batch)}
    if options.dynamic:
        height, width = options.canvas
        yield {"input": _images((width, height + STEP), options.batch + 1)}


def _images(canvas: Size, batch: int) -> torch.Tensor:
    """Smooth random images, normalised, float ``[batch, 3, *canvas]``."""
    images, _ = example_inputs((batch, 3, *canvas), 0, dtype="float32")
    return (images - torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)) / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
