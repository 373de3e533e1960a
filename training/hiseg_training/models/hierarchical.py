"""The whole model: takes images and boxes, gives three-class logits per person and the foreground."""

from __future__ import annotations

import torch

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.models.coarse import CoarseNetwork, CoarseOutput, CoarseStage, run_coarse
from hiseg_training.models.encoder import IMAGENET_MEAN, IMAGENET_STD
from hiseg_training.models.fine import FineOutput, FineStage
from hiseg_training.models.freezing import FreezableModule
from hiseg_training.models.roi import box_channels, enlarge, roi_align


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
    return images.float().div_(255.0) if images.dtype == torch.uint8 else images


def build_coarse(config: ModelConfig) -> CoarseNetwork:
    """The coarse stage of a configuration: this project's, or upstream's UNet for the family ``unet``."""
    family, variant = config.coarse
    return UNetStage(variant, config.pretrained) if family == "unet" else CoarseStage(config)


class HierarchicalModel(FreezableModule):
    """Runs the coarse stage once per image and the fine stage once per person; implements the tensor contract.

    The crop shows the box and its surroundings (``config.context``), because detectors' boxes cut off hands and feet:
    ``masks`` cover the box exactly, ``wide_masks`` the whole crop.
    """

    mean: torch.Tensor
    std: torch.Tensor
    inner_rows: torch.Tensor
    inner_columns: torch.Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = build_coarse(config)
        self.fine = FineStage(config, self.coarse.feature_channels)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
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

    def _fine_inputs(
        self, images: torch.Tensor, rois: torch.Tensor, coarse: CoarseOutput | None, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Crops ``[N, 5, *size]`` and prior ``[N, C + 1, size / 4]`` as :meth:`FineStage.forward` takes them."""
        crops = enlarge(rois, self.config.context)
        pixels = (roi_align(images, crops, size) - self.mean) / self.std
        boxes = box_channels(rois, crops, size)
        if not self.config.other_boxes:
            boxes = torch.cat([boxes[:, :1], torch.zeros_like(boxes[:, 1:])], dim=1)
        channels = torch.cat([pixels, boxes], dim=1)
        prior = None
        if coarse is not None:
            quarter = (size[0] // 4, size[1] // 4)
            maps = [roi_align(values, crops, quarter) for values in (coarse.features, coarse.logits)]
            prior = torch.cat(maps, dim=1)
        return channels.contiguous(memory_format=torch.channels_last), prior

    def crop_logits(
        self, images: torch.Tensor, rois: torch.Tensor, coarse: CoarseOutput | None, size: tuple[int, int]
    ) -> torch.Tensor:
        """Run the fine stage on crops enlarged by ``config.context``.

        Args:
            images: canvases, float 0..1 ``[B, 3, H, W]``.
            rois: people's boxes, float ``[N, 5]``.
            coarse: the coarse stage's prediction for the same canvases; None to do without.
            size: (height, width) of a crop and of its logits; multiples of 32.

        Returns:
            Logits over the enlarged crops, float ``[N, 3, *size]``.
        """
        logits: torch.Tensor = self.fine(*self._fine_inputs(images, rois, coarse, size))
        return logits

    def crop_outputs(
        self, images: torch.Tensor, rois: torch.Tensor, coarse: CoarseOutput | None, size: tuple[int, int]
    ) -> FineOutput:
        """As :meth:`crop_logits`, with all that losses read."""
        return self.fine.outputs(*self._fine_inputs(images, rois, coarse, size))

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute the outputs of the tensor contract.

        Args:
            images: canvases, uint8 0..255 or float 0..1 ``[B, 3, H, W]``.
            rois: people's boxes, float ``[N, 5]``; N may be 0.

        Returns:
            ``masks``, float logits ``[N, 3, mask_h, mask_w]`` over the boxes; ``binary_masks``, float 0..1
            ``[B, 1, H, W]``, the foreground; ``wide_masks``, logits as ``masks`` but over boxes ``config.context``
            times as large.
        """
        images = to_unit(images)
        coarse = self.run_coarse(images, rois)
        logits = self.crop_logits(images, rois, coarse, self.config.mask_size)
        # A copy for each person: ONNX Runtime 1.19 can't broadcast one matrix over a batch of nobody.
        rows = self.inner_rows.expand(logits.shape[0], logits.shape[1], -1, -1)
        masks = torch.matmul(torch.matmul(rows, logits), self.inner_columns)
        return masks, coarse.foreground((images.shape[2], images.shape[3])), logits
