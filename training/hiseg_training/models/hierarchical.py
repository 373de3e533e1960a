"""The whole model: takes images and boxes, gives three-class logits per person and the foreground."""

from __future__ import annotations

import torch

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.models.coarse import CoarseNetwork, CoarseOutput, CoarseStage, run_coarse
from hiseg_training.models.encoder import Normalize
from hiseg_training.models.finder import FinderStage
from hiseg_training.models.fine import FineStage
from hiseg_training.models.freezing import FreezableModule
from hiseg_training.models.roi import box_aspect, box_channels, enlarge, roi_align

WHITE = 255.0
"""Value of a full channel in uint8."""


def inner_resampling(cells: int, context: float) -> torch.Tensor:
    """Matrix that crops the middle ``1/context`` of a line of cells and resizes it to the same number of cells.

    Args:
        cells: length of the line.
        context: at least 1.

    Returns:
        float32 ``[cells, cells]``, linear interpolation weights; row i makes cell i of the result.
    """
    position = ((torch.arange(cells, dtype=torch.float64) + 0.5) / cells - 0.5) / context + 0.5
    source = position * cells - 0.5
    lower = source.floor().long()
    weight = source - lower
    matrix = torch.zeros(cells, cells, dtype=torch.float64)
    rows = torch.arange(cells)
    matrix[rows, lower.clamp(0, cells - 1)] += 1 - weight
    matrix[rows, (lower + 1).clamp(0, cells - 1)] += weight
    return matrix.float()


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """Convert images of any shape from uint8 0..255 to float32 0..1; float images pass unchanged."""
    # In place: large tensors come fresh from the system, and the first touch of their pages is what takes time.
    return images.float().div_(WHITE) if images.dtype == torch.uint8 else images


def build_coarse(config: ModelConfig) -> CoarseNetwork:
    """The coarse stage of a configuration: this project's, a finder, or upstream's UNet for the family ``unet``."""
    family, variant = config.coarse
    if family == "finder":
        return FinderStage(config)
    return UNetStage(variant, config.pretrained) if family == "unet" else CoarseStage(config)


class HierarchicalModel(FreezableModule):
    """A coarse stage, which runs once per image, and a fine one, once per person; implements the tensor contract.

    The stages know nothing of each other: each computes outputs of its own.

    The crop shows the box and its surroundings (``config.context``), because detectors' boxes cut off hands and feet:
    ``masks`` cover the box exactly, ``wide_masks`` the whole crop.
    """

    inner_rows: torch.Tensor
    inner_columns: torch.Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = build_coarse(config)
        self.fine = FineStage(config)
        self.normalize = Normalize(config.family)
        rows, columns = config.mask_size
        self.register_buffer("inner_rows", inner_resampling(rows, config.context), persistent=False)
        self.register_buffer(
            "inner_columns", inner_resampling(columns, config.context).T.contiguous(), persistent=False
        )

    def start_coarse_from_fine(self) -> None:
        """Copy the fine stage's encoder weights into the coarse stage's encoder, less the input channels it lacks.

        Raises:
            ValueError: the encoders are of different families or variants.
        """
        fine = (self.config.family, self.config.variant)
        if self.config.coarse != fine:
            raise ValueError(f"coarse_family, coarse_variant: {self.config.coarse} can't start from {fine}")
        weights = self.fine.encoder.state_dict()
        for name, own in self.coarse.encoder.state_dict().items():
            if own.shape != weights[name].shape:
                weights[name] = weights[name][:, : own.shape[1]]
        self.coarse.encoder.load_state_dict(weights)

    def run_coarse(self, images: torch.Tensor, rois: torch.Tensor) -> CoarseOutput:
        """Run the coarse stage.

        Args:
            images: canvases, float 0..1 ``[B, 3, H, W]``.
            rois: known boxes, float ``[N, 5]``.
        """
        return run_coarse(self.coarse, images, rois, self.config.coarse_reduction)

    def crop_inputs(
        self, pixels: torch.Tensor, boxes: torch.Tensor, aspect: torch.Tensor, white: float = 1.0
    ) -> torch.Tensor:
        """Build what :meth:`FineStage.forward` takes out of crops, wherever they were cut.

        Args:
            pixels: RGB ``[N, 3, h, w]``: uint8, or float from 0 to ``white``.
            boxes: of any dtype 0/1 ``[N, 2, h, w]``: inside the own box; inside another person's.
            aspect: float ``[N]``, see :func:`hiseg_training.models.roi.box_aspect`.
            white: value of a full channel in float pixels; in uint8 it is 255, whatever this says.

        Returns:
            float ``[N, 6, h, w]`` in channels-last memory; :data:`hiseg_training.models.fine.CHANNELS` lists them.
        """
        white = WHITE if pixels.dtype == torch.uint8 else white
        colours = self.normalize(pixels.float(), white)
        maps = boxes.to(colours.dtype)
        if not self.config.other_boxes:
            maps = torch.cat([maps[:, :1], torch.zeros_like(maps[:, 1:])], dim=1)
        plane = aspect.to(colours.dtype)[:, None, None, None].expand_as(maps[:, :1])
        channels = torch.cat([colours, maps, plane], dim=1)
        return channels.contiguous(memory_format=torch.channels_last)

    def crop_logits(self, images: torch.Tensor, rois: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Run the fine stage on crops enlarged by ``config.context``.

        Args:
            images: canvases, uint8 0..255 or float 0..1 ``[B, 3, H, W]``.
            rois: people's boxes, float ``[N, 5]``.
            size: (height, width) of a crop and of its logits; even numbers.

        Returns:
            Logits over the enlarged crops, float ``[N, 3, *size]``.
        """
        crops = enlarge(rois, self.config.context)
        aspect = box_aspect(rois, (images.shape[2], images.shape[3]))
        # Normalised after they are cut: most of a canvas is in no crop.
        white = WHITE if images.dtype == torch.uint8 else 1.0
        cut = self.crop_inputs(roi_align(images, crops, size), box_channels(rois, crops, size), aspect, white)
        logits: torch.Tensor = self.fine(cut)
        return logits

    def masks(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the outputs of the tensor contract that are about single people; the coarse stage isn't run.

        Args:
            images: canvases, uint8 0..255 or float 0..1 ``[B, 3, H, W]``.
            rois: people's boxes, float ``[N, 5]``; N may be 0.

        Returns:
            ``masks``, float logits ``[N, 3, mask_h, mask_w]`` over the boxes; ``wide_masks``, the same over boxes
            ``config.context`` times as large.
        """
        logits = self.crop_logits(images, rois, self.config.mask_size)
        # A copy for each person: ONNX Runtime 1.19 can't broadcast one matrix over a batch of nobody.
        rows = self.inner_rows.expand(logits.shape[0], logits.shape[1], -1, -1)
        return torch.matmul(torch.matmul(rows, logits), self.inner_columns), logits

    def foreground(self, images: torch.Tensor, rois: torch.Tensor | None = None) -> torch.Tensor:
        """Compute ``binary_masks`` of the tensor contract; the fine stage isn't run.

        Args:
            images: canvases, uint8 0..255 or float 0..1 ``[B, 3, H, W]``.
            rois: known boxes, float ``[N, 5]``; None where there are none.

        Returns:
            float 0..1 ``[B, 1, H, W]``, the foreground.
        """
        images = to_unit(images)
        known = images.new_zeros(0, 5) if rois is None else rois
        return self.run_coarse(images, known).foreground((images.shape[2], images.shape[3]))

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute all outputs of the tensor contract.

        Args:
            images: canvases, uint8 0..255 or float 0..1 ``[B, 3, H, W]``.
            rois: people's boxes, float ``[N, 5]``; N may be 0.

        Returns:
            ``masks``, ``binary_masks`` and ``wide_masks``; see :meth:`masks` and :meth:`foreground`.
        """
        masks, wide_masks = self.masks(images, rois)
        return masks, self.foreground(images, rois), wide_masks
