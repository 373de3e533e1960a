"""Configuration of a model: one frozen record that is stored inside checkpoints and exports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Size = tuple[int, int]
"""(height, width)."""

BACKGROUND, TARGET, OTHER = range(3)
"""Classes of a pixel in a person's crop: no person, the person whose box it is, other people."""
CLASSES = 3
UNKNOWN = CLASSES
"""Label of a pixel of which nobody knows whose it is, as in the box of somebody without an outline; not counted."""

CANVASES: tuple[Size, ...] = ((640, 640), (480, 640), (640, 480), (384, 640), (640, 384))
SCALING = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b7": (2.0, 3.1)}
"""Width and depth coefficients of the variants, those of the EfficientNets they are named after."""
EFFICIENTNETS = {"b0": "efficientnet_b0", "b1": "efficientnet_b1", "b3": "efficientnet_b3", "b7": "efficientnet_b7"}
LITES = {"b0": "tf_efficientnet_lite0", "b1": "tf_efficientnet_lite2", "b7": "tf_efficientnet_lite2"}
FAMILIES = ("residual", "efficientnet", "lite")
COARSE_VARIANTS = {
    "residual": tuple(SCALING),
    "efficientnet": tuple(EFFICIENTNETS),
    "lite": tuple(LITES),
    "unet": tuple(EFFICIENTNETS),
    "finder": tuple(LITES),
}
"""Families of the coarse stage, and the variants that each comes in."""
TYPICAL_ASPECT = 0.7
"""Natural logarithm of a typical box's height / width; what the fine stage is told of a box is the difference to it."""
ACTIVATIONS = ("relu", "silu", "gelu")
NORMALIZATIONS = ("batchnorm", "layernorm2d", "groupnorm")
MASK_TO_ROI: dict[Size, Size] = {(128, 96): (64, 48), (160, 120): (80, 60), (256, 192): (128, 96)}


@dataclass(frozen=True)
class ModelConfig:
    """Architecture and sizes of a model.

    Attributes:
        variant: ``b0``, ``b1`` or ``b7``; the size of both stages' encoders.
        family: ``residual``, ``efficientnet`` or ``lite``; see :mod:`hiseg_training.models.encoder`.
        mask_size: (height, width) of the masks, and of the crops that the fine stage takes.
        fine_widths: decoder channels of the fine stage at 1/16, 1/8, 1/4 and 1/2 of the crop.
        coarse_widths: decoder channels of the coarse stage at the same fractions of the reduced canvas; the family
            ``unet`` and ``finder`` have their own.
        context: side of the crop as a multiple of the box's side, 1..2.
        pretrained: start encoders from ImageNet weights: those of ``lite`` come out of the packages of the extra
            ``pretrained``, those of ``efficientnet`` and ``unet`` are downloaded by timm; ``residual`` has none.
        fine_depth: residual blocks at each level of the fine stage's decoder.
        coarse_family: of the coarse stage: one of those, ``unet``, upstream's network (see
            :mod:`hiseg_training.compat.unet`), or ``finder``, which finds people's boxes too (see
            :mod:`hiseg_training.models.finder`); None is ``family``.
        coarse_variant: of the coarse stage, also ``b3`` for ``efficientnet`` and ``unet``; None is ``variant``.
        coarse_reduction: canvas pixels along a side that become one pixel of the coarse stage's input: 1, 2 or 4.
        activation: ``relu``, ``silu`` or ``gelu``, everywhere but inside EfficientNets.
        normalization: ``batchnorm``, ``layernorm2d`` or ``groupnorm``, everywhere but inside EfficientNets.
        coarse_boxes: the coarse stage takes a map of the boxes; ``unet`` and ``finder`` take images alone,
            whatever this says.
        other_boxes: the fine stage takes a map of other people's boxes.
        attention: put attention gates on the fine stage's skip connections.
        hierarchical: predict foreground first, then identity; see
            :class:`hiseg_training.models.fine.HierarchicalHead`.
        contour: add a branch that predicts outlines, in training only.
        distance: add a branch that predicts distances to outlines, in training only.

    Raises:
        ValueError: a value isn't allowed; the message begins with the field's name.
    """

    variant: str = "b0"
    family: str = "residual"
    mask_size: Size = (128, 96)
    fine_widths: tuple[int, int, int, int] = (96, 64, 48, 32)
    coarse_widths: tuple[int, int, int, int] = (64, 48, 32, 16)
    context: float = 1.2
    pretrained: bool = False
    fine_depth: int = 1
    coarse_family: str | None = None
    coarse_variant: str | None = None
    coarse_reduction: int = 2
    activation: str = "relu"
    normalization: str = "batchnorm"
    coarse_boxes: bool = False
    other_boxes: bool = True
    attention: bool = True
    hierarchical: bool = False
    contour: bool = False
    distance: bool = False

    def __post_init__(self) -> None:
        choices = {
            "variant": SCALING,
            "family": FAMILIES,
            "activation": ACTIVATIONS,
            "normalization": NORMALIZATIONS,
            "mask_size": MASK_TO_ROI,
            "coarse_reduction": (1, 2, 4),
            "fine_depth": range(1, 9),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(map(str, allowed))}")
        family, variant = self.coarse
        if family not in COARSE_VARIANTS:
            raise ValueError(f"coarse_family: {family!r} is not one of {', '.join(COARSE_VARIANTS)}")
        if variant not in COARSE_VARIANTS[family]:
            allowed_here = ", ".join(COARSE_VARIANTS[family])
            raise ValueError(f"coarse_variant: {variant!r} is not one of {allowed_here}, those of {family}")
        if not 1 <= self.context <= 2:
            raise ValueError(f"context: {self.context} is not 1 to 2")
        for name in ("fine_widths", "coarse_widths"):
            widths = getattr(self, name)
            if len(widths) != 4 or min(widths) < 1:
                raise ValueError(f"{name}: {widths} are not 4 numbers of at least 1")

    @property
    def roi_size(self) -> Size:
        """(height, width) at which the fine stage computes its logits; half the mask's."""
        return MASK_TO_ROI[self.mask_size]

    @property
    def coarse(self) -> tuple[str, str]:
        """Family and variant of the coarse stage."""
        return self.coarse_family or self.family, self.coarse_variant or self.variant

    def to_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The inverse of :meth:`to_dict`, also after JSON has turned tuples into lists; missing fields get defaults."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)
