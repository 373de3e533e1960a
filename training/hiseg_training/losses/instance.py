"""What the fine stage is trained to make small: one record of weights, one call, every term by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from hiseg_training.losses.labels import CLASSES, OTHER, TARGET
from hiseg_training.losses.outlines import between, outline_band, signed_distance
from hiseg_training.losses.overlap import soft_dice
from hiseg_training.losses.pixels import binary_cross_entropy, class_cross_entropy, weighted_mean

MOST_POSITIVE = 20.0
"""Most that a pixel of an outline's band counts against one off it, however thin the outline."""


class People(Protocol):
    """What a fine stage says of ``N`` crops while it is trained; None is a branch that it doesn't have.

    Attributes:
        logits: float ``[N, 3, h, w]``.
        foreground: float ``[N, 1, h, w]``, log-odds that somebody is there.
        identity: float ``[N, 1, h, w]``, log-odds that it is the target, given that somebody is there.
        contour: float ``[N, 1, h, w]``, log-odds of the target's outline.
        distance: float ``[N, 1, h, w]``, signed distance to the target's outline.
    """

    @property
    def logits(self) -> torch.Tensor: ...
    @property
    def foreground(self) -> torch.Tensor | None: ...
    @property
    def identity(self) -> torch.Tensor | None: ...
    @property
    def contour(self) -> torch.Tensor | None: ...
    @property
    def distance(self) -> torch.Tensor | None: ...


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the terms; a term of weight 0, or of a branch that the model doesn't have, isn't computed.

    Attributes:
        cross_entropy: of the three classes.
        dice: of the target.
        class_weights: how much a pixel of background, target and others counts in the cross-entropy.
        focal_gamma: of the cross-entropy's focal factor; 0 is none.
        boundary: how much *more* a pixel near a change of class counts in the cross-entropy.
        separation: how much more a pixel between the target and other people counts, at most.
        contour: of the contour branch.
        distance: of the distance branch.
        foreground: of the hierarchical head's first level.
        identity: of its second level, on people's pixels alone.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    class_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    focal_gamma: float = 0.0
    boundary: float = 0.0
    separation: float = 0.0
    contour: float = 0.0
    distance: float = 0.0
    foreground: float = 0.0
    identity: float = 0.0

    def __post_init__(self) -> None:
        if len(self.class_weights) != CLASSES:
            raise ValueError(f"class_weights: {self.class_weights} are not {CLASSES} numbers")
        values = {name: getattr(self, name) for name in self.__slots__ if name != "class_weights"}
        for name, value in {**values, "class_weights": min(self.class_weights)}.items():
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: {value} is not a finite number of at least 0")


@dataclass(frozen=True, slots=True)
class InstanceLoss:
    """The fine stage's loss.

    Attributes:
        config: weights of the terms.
    """

    config: LossConfig = LossConfig()

    def __call__(self, people: People, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every term, unweighted, and their weighted sum as ``total``; all float32, all finite, 0 without people.

        Args:
            people: what the fine stage says.
            labels: int64 ``[N, h, w]``, as :func:`hiseg_training.losses.labels.three_class_labels` gives them.
        """
        config = self.config
        logits, target = people.logits.float(), labels == TARGET
        terms = {}
        if config.cross_entropy:
            terms["cross_entropy"] = class_cross_entropy(
                logits, labels, config.class_weights, self.pixel_weights(labels), config.focal_gamma
            )
        if config.dice:
            terms["dice"] = soft_dice(logits.softmax(1)[:, TARGET], target)
        if config.contour and people.contour is not None:
            terms["contour"] = contour_loss(people.contour[:, 0], target)
        if config.distance and people.distance is not None:
            terms["distance"] = distance_loss(people.distance[:, 0], target)
        if config.foreground and people.foreground is not None:
            terms["foreground"] = binary_cross_entropy(people.foreground[:, 0], (labels > 0).float())
        if config.identity and people.identity is not None:
            terms["identity"] = identity_loss(people.identity[:, 0], labels)
        # Starts from the logits, so that even a sum of no terms has a gradient.
        total = logits.sum() * 0.0
        for name, term in terms.items():
            total = total + getattr(config, name) * term
        return {**terms, "total": total}

    def pixel_weights(self, labels: torch.Tensor) -> torch.Tensor | None:
        """How much each pixel counts in the cross-entropy for where it lies, float ``[N, h, w]``; None if all alike."""
        if not self.config.boundary and not self.config.separation:
            return None
        weights = torch.ones(labels.shape, device=labels.device)
        if self.config.boundary:
            weights += self.config.boundary * outline_band(labels)
        if self.config.separation:
            weights += self.config.separation * between(labels == TARGET, labels == OTHER)
        return weights


def contour_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of the outline's band; band and rest count alike, unless the band is very thin.

    Args:
        logits: float ``[N, h, w]``; the one sigmoid is in here.
        target: bool ``[N, h, w]``, the person.
    """
    band = outline_band(target).float()
    share = band.mean() if band.numel() else band.new_zeros(())
    positive = ((1 - share) / share.clamp(min=1e-6)).clamp(1.0, MOST_POSITIVE)
    return binary_cross_entropy(logits, band, weights=torch.where(band > 0, positive, 1.0))


def distance_loss(distance: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Smooth L1 between a distance map and the true, signed one; linear from a tenth of the reach on.

    Args:
        distance: float ``[N, h, w]``.
        target: bool ``[N, h, w]``, the person.
    """
    error = F.smooth_l1_loss(distance.float(), signed_distance(target), beta=0.1, reduction="none")
    return weighted_mean(error, torch.ones_like(error))


def identity_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of target against other people, over people's pixels alone; 0 where there are none.

    Args:
        logits: float ``[N, h, w]``.
        labels: int64 ``[N, h, w]``.
    """
    return binary_cross_entropy(logits, (labels == TARGET).float(), weights=(labels > 0).float())
