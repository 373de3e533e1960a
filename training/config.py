"""What a model is, in numbers: one frozen record that travels inside checkpoints and exports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Size = tuple[int, int]
"""(height, width)."""

CANVASES: tuple[Size, ...] = ((640, 640), (480, 640), (640, 480), (384, 640), (640, 384))
SCALING = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b7": (2.0, 3.1)}
"""Width and depth coefficients of the variants, those of the EfficientNets they are named after."""
EFFICIENTNETS = {"b0": "efficientnet_b0", "b1": "efficientnet_b1", "b7": "efficientnet_b7"}
FAMILIES = ("residual", "efficientnet")
MASK_TO_ROI: dict[Size, Size] = {(128, 96): (64, 48), (160, 120): (80, 60), (256, 192): (128, 96)}


@dataclass(frozen=True)
class ModelConfig:
    """A variant and its sizes.

    Attributes:
        variant: ``b0``, ``b1`` or ``b7``; the size of both stages' encoders.
        family: ``residual`` or ``efficientnet``; see :mod:`training.models.encoder`.
        mask_size: (height, width) of the output, and of the crop that the fine stage sees.
        fine_widths: decoder channels of the fine stage at 1/16, 1/8, 1/4 and 1/2 of the crop.
        coarse_widths: decoder channels of the coarse stage at the same fractions of the reduced canvas.
        context: side of the crop as a multiple of the box's side.
        pretrained: start EfficientNet encoders from timm's ImageNet weights (needs a network).
    """

    variant: str = "b0"
    family: str = "residual"
    mask_size: Size = (128, 96)
    fine_widths: tuple[int, int, int, int] = (96, 64, 48, 32)
    coarse_widths: tuple[int, int, int, int] = (64, 48, 32, 16)
    context: float = 1.2
    pretrained: bool = False

    def __post_init__(self) -> None:
        if self.variant not in SCALING:
            raise ValueError(f"variant: {self.variant!r} is not one of {', '.join(SCALING)}")
        if self.family not in FAMILIES:
            raise ValueError(f"family: {self.family!r} is not one of {', '.join(FAMILIES)}")
        if self.mask_size not in MASK_TO_ROI:
            raise ValueError(f"mask_size: {self.mask_size} is not one of {', '.join(map(str, MASK_TO_ROI))}")

    @property
    def roi_size(self) -> Size:
        """(height, width) at which the fine stage decides; half the mask's."""
        return MASK_TO_ROI[self.mask_size]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The inverse of :meth:`to_dict`, also after a trip through JSON (lists become tuples)."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
