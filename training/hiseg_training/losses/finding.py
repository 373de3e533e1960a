"""Loss of the finder: quality-aware scores, boxes' edges, and everybody's foreground."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from hiseg_training.losses.assignment import EPSILON, assign
from hiseg_training.losses.foreground import ForegroundLossConfig, foreground_loss
from hiseg_training.models.finder import Found

NEGATIVE_WEIGHT, NEGATIVE_POWER = 0.75, 2.0
"""Weight of a cell that is nobody's, and how much more one counts that has a high score (arXiv:2008.13367)."""
BOX_WEIGHT = 2.0


class FinderTargets(NamedTuple):
    """What is known of ``B`` inputs.

    Attributes:
        boxes: of people, float ``[P, 5]`` of ``input x1 y1 x2 y2``, in pixels of the input.
        counted: which of those are to be found; near the others nothing is learnt, bool ``[P]``.
        foreground: share of each cell that is people, float 0..1 ``[B, 1, h, w]``.
        known: share of each cell of which is known whether it is people, float 0..1 of the same shape.
    """

    boxes: torch.Tensor
    counted: torch.Tensor
    foreground: torch.Tensor
    known: torch.Tensor


def generalized_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalised IoU (Rezatofighi et al., 2019, arXiv:1902.09630) of pairs of boxes ``[N, 4]``: -1..1 ``[N]``."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    around = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return shared / union.clamp(min=EPSILON) - (around - union) / around.clamp(min=EPSILON)


def finder_loss(found: Found, targets: FinderTargets, foreground: ForegroundLossConfig) -> dict[str, torch.Tensor]:
    """Compute all terms.

    Args:
        found: the finder's prediction.
        targets: what is known.
        foreground: weights of the foreground's terms.

    Returns:
        float32 scalars by name: ``score``, ``box``, ``foreground`` and, to minimise, ``total``.
    """
    logits, boxes = found.scores.float(), found.boxes.float()
    scores = logits.detach().sigmoid()
    quality, unknown = torch.zeros_like(logits), torch.zeros_like(logits, dtype=torch.bool)
    predicted, true, weights = [], [], []
    for index in range(len(logits)):
        own = targets.boxes[:, 0] == index
        people = targets.boxes[own & targets.counted, 1:]
        assigned = assign(scores[index], boxes[index].detach(), found.points, found.strides, people)
        quality[index] = assigned.quality
        unknown[index] = _inside_any(found.points, targets.boxes[own & ~targets.counted, 1:])
        taken = assigned.person >= 0
        predicted.append(boxes[index][taken])
        true.append(people[assigned.person[taken]] if len(people) else boxes.new_zeros(0, 4))
        weights.append(assigned.quality[taken])
    weight = torch.cat(weights)
    total_weight = quality.sum().clamp(min=1.0)
    negative = NEGATIVE_WEIGHT * scores**NEGATIVE_POWER * ~unknown
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    score = (entropy * torch.where(quality > 0, quality, negative)).sum() / total_weight
    box = ((1 - generalized_iou(torch.cat(predicted), torch.cat(true))) * weight).sum() / total_weight
    drawn = foreground_loss(found.foreground, targets.foreground, foreground, targets.known)["total"]
    return {"score": score, "box": box, "foreground": drawn, "total": score + BOX_WEIGHT * box + drawn}


def _inside_any(points: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Whether float points ``[N, 2]`` are in any of the boxes ``[P, 4]``: bool ``[N]``."""
    return ((points > boxes[:, None, :2]) & (points < boxes[:, None, 2:])).all(2).any(0)
