"""The whole model: images and boxes in, three-class logits per person and the foreground out."""

from __future__ import annotations

import torch

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.coarse import build_coarse, look
from hiseg_training.models.fine import FineStage
from hiseg_training.models.freezing import Freezable
from hiseg_training.models.outputs import IMAGENET_MEAN, IMAGENET_STD, Coarse, FineOutput
from hiseg_training.models.roi import box_channels, enlarge, roi_align


def inner_resampling(cells: int, context: float) -> torch.Tensor:
    """Matrix ``[cells, cells]`` that reads the middle ``1/context`` of a line at ``cells`` points, linearly."""
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
    """uint8 0..255 -> float 0..1; float passes through."""
    # In place: large tensors come fresh from the system, and the first touch of their pages is what takes time.
    return images.float().div_(255.0) if images.dtype == torch.uint8 else images


class HierarchicalModel(Freezable):
    """Coarse once per image, fine once per person; implements the tensor contract.

    The crop shows the box and its surroundings (``config.context``); ``masks`` cover the box exactly, ``wide_masks``
    the whole crop: detectors cut off hands and feet.
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
        """Give the coarse stage's encoder what the fine stage's has learnt; they differ only in input channels.

        Raises:
            ValueError: if their encoders are of different kinds.
        """
        fine = (self.config.family, self.config.variant)
        if self.config.coarse != fine:
            raise ValueError(f"coarse_family, coarse_variant: {self.config.coarse} can't start from {fine}")
        weights = self.fine.encoder.state_dict()
        for name, own in self.coarse.encoder.state_dict().items():
            if own.shape != weights[name].shape:
                weights[name] = weights[name][:, : own.shape[1]]
        self.coarse.encoder.load_state_dict(weights)

    def run_coarse(self, images: torch.Tensor, rois: torch.Tensor) -> Coarse:
        """The coarse stage on canvases as :func:`to_unit` gives them, and the boxes that are known, ``[N, 5]``."""
        return look(self.coarse, images, rois, self.config.coarse_reduction)

    def _look(
        self, images: torch.Tensor, rois: torch.Tensor, coarse: Coarse | None, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        crops = enlarge(rois, self.config.context)
        pixels = (roi_align(images, crops, size) - self.mean) / self.std
        boxes = box_channels(rois, crops, size)
        if not self.config.other_boxes:
            boxes = torch.cat([boxes[:, :1], torch.zeros_like(boxes[:, 1:])], dim=1)
        seen = torch.cat([pixels, boxes], dim=1)
        prior = None
        if coarse is not None:
            at = (size[0] // 4, size[1] // 4)
            prior = torch.cat([roi_align(coarse.features, crops, at), roi_align(coarse.logits, crops, at)], dim=1)
        return seen.contiguous(memory_format=torch.channels_last), prior

    def crop_logits(
        self, images: torch.Tensor, rois: torch.Tensor, coarse: Coarse | None, size: tuple[int, int]
    ) -> torch.Tensor:
        """Logits ``[N, 3, *size]`` over the enlarged crops; ``images`` as :func:`to_unit` gives them."""
        logits: torch.Tensor = self.fine(*self._look(images, rois, coarse, size))
        return logits

    def crop_outputs(
        self, images: torch.Tensor, rois: torch.Tensor, coarse: Coarse | None, size: tuple[int, int]
    ) -> FineOutput:
        """The same with everything that training looks at."""
        return self.fine.outputs(*self._look(images, rois, coarse, size))

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The tensor contract.

        Args:
            images: uint8 (or float 0..1) ``[B, 3, H, W]``.
            rois: float ``[N, 5]``; N may be 0.

        Returns:
            ``masks`` ``[N, 3, mask_h, mask_w]`` logits over the boxes, ``binary_masks`` ``[B, 1, H, W]`` probability,
            and ``wide_masks``, logits as ``masks`` but over boxes ``config.context`` times as large.
        """
        images = to_unit(images)
        coarse = self.run_coarse(images, rois)
        logits = self.crop_logits(images, rois, coarse, self.config.mask_size)
        # One for each person: ONNX Runtime 1.19 can't multiply by one for all of them where there are none.
        rows = self.inner_rows.expand(logits.shape[0], logits.shape[1], -1, -1)
        masks = torch.matmul(torch.matmul(rows, logits), self.inner_columns)
        return masks, coarse.foreground((images.shape[2], images.shape[3])), logits
