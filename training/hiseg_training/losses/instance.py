"""Loss of the fine stage: three-class labels of each person's crop, the terms by name and the weights of their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from hiseg_training.config.model import BACKGROUND, CLASSES, OTHER, TARGET, UNKNOWN
from hiseg_training.losses.outlines import outline_band, proximity_weight, signed_distance
from hiseg_training.losses.pixels import binary_cross_entropy, class_cross_entropy, soft_dice, weighted_mean

MAX_POSITIVE_WEIGHT = 20.0
"""Largest weight of a pixel in an outline's band against one outside it, however thin the outline."""


class FinePrediction(Protocol):
    """What a fine stage predicts for ``N`` crops; None is a branch that it doesn't have.

    Attributes:
        logits: float ``[N, 3, h, w]``.
        foreground: float ``[N, 1, h, w]``, log-odds that any person is there.
        identity: float ``[N, 1, h, w]``, log-odds that it is the target, given that a person is there.
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
        cross_entropy: of the three classes' cross-entropy.
        dice: of the target's Dice loss.
        class_weights: weight of a pixel of background, target and other people in the cross-entropy.
        focal_gamma: exponent of the cross-entropy's focal factor; 0 turns it off.
        boundary: *additional* weight in the cross-entropy of a pixel near a change of class.
        separation: largest additional weight of a pixel between the target and other people.
        contour: of the contour branch's loss.
        distance: of the distance branch's loss.
        foreground: of the loss of the hierarchical head's first level.
        identity: of the loss of its second level, on people's pixels alone.

    Raises:
        ValueError: a weight isn't a finite number of at least 0, or there aren't three class weights; the message
            begins with the name of the field.
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

    def __call__(self, people: FinePrediction, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute all terms.

        Args:
            people: the fine stage's prediction for ``N`` crops.
            labels: int64 ``[N, h, w]``: background, target, other people, or unknown, which no term counts.

        Returns:
            float32 scalars by name: the terms, unweighted, and their weighted sum ``total``. All are finite, and 0
            without people.
        """
        config = self.config
        logits, target, known = people.logits.float(), labels == TARGET, labels != UNKNOWN
        terms = {}
        if config.cross_entropy:
            terms["cross_entropy"] = class_cross_entropy(
                logits, labels, config.class_weights, self.pixel_weights(labels), config.focal_gamma
            )
        if config.dice:
            terms["dice"] = soft_dice(logits.softmax(1)[:, TARGET], target, known)
        if config.contour and people.contour is not None:
            terms["contour"] = contour_loss(people.contour[:, 0], target, known)
        if config.distance and people.distance is not None:
            terms["distance"] = distance_loss(people.distance[:, 0], target, known)
        if config.foreground and people.foreground is not None:
            terms["foreground"] = binary_cross_entropy(
                people.foreground[:, 0], (labels != BACKGROUND).float(), weights=known.float()
            )
        if config.identity and people.identity is not None:
            terms["identity"] = identity_loss(people.identity[:, 0], labels)
        # The sum starts from the logits, so that it has a gradient even without a term.
        total = logits.sum() * 0.0
        for name, term in terms.items():
            total = total + getattr(config, name) * term
        return {**terms, "total": total}

    def pixel_weights(self, labels: torch.Tensor) -> torch.Tensor | None:
        """Weight of each pixel in the cross-entropy by its position.

        Args:
            labels: int64 ``[N, h, w]``.

        Returns:
            float32 ``[N, h, w]``, at least 1; None if all pixels count alike.
        """
        if not self.config.boundary and not self.config.separation:
            return None
        weights = torch.ones(labels.shape, device=labels.device)
        if self.config.boundary:
            weights += self.config.boundary * outline_band(labels, labels != UNKNOWN)
        if self.config.separation:
            weights += self.config.separation * proximity_weight(labels == TARGET, labels == OTHER)
        return weights


def contour_loss(logits: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of the outline's band; band and rest weigh the same in total, unless the band is very thin.

    Args:
        logits: float log-odds ``[N, h, w]``.
        target: bool ``[N, h, w]``, the person.
        known: bool ``[N, h, w]``, False where a pixel doesn't count.

    Returns:
        A float32 scalar.
    """
    counted = known.float()
    band = outline_band(target, known).float()
    share = weighted_mean(band, counted)
    positive = ((1 - share) / share.clamp(min=1e-6)).clamp(1.0, MAX_POSITIVE_WEIGHT)
    return binary_cross_entropy(logits, band, weights=torch.where(band > 0, positive, 1.0) * counted)


def distance_loss(distance: torch.Tensor, target: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Smooth L1 between a distance map and the true signed distance; linear for errors above 0.1.

    Args:
        distance: float ``[N, h, w]``, -1..1 where it is right.
        target: bool ``[N, h, w]``, the person.
        known: bool ``[N, h, w]``, False where a pixel doesn't count.

    Returns:
        A float32 scalar.
    """
    error = F.smooth_l1_loss(distance.float(), signed_distance(target), beta=0.1, reduction="none")
    return weighted_mean(error, known.float())


def identity_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of target against other people, over people's pixels alone.

    Args:
        logits: float log-odds ``[N, h, w]``.
        labels: int64 ``[N, h, w]``.

    Returns:
        A float32 scalar; 0 where there are no people's pixels.
    """
    people = (labels == TARGET) | (labels == OTHER)
    return binary_cross_entropy(logits, (labels == TARGET).float(), weights=people.float())
