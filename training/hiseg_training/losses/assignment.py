"""Says which cells of a finder learn which person: those that already find them best (Feng et al., 2021,
arXiv:2108.07755)."""

from __future__ import annotations

from typing import NamedTuple

import torch

CANDIDATES = 10
"""Cells that learn a person, at most."""
SCORE_POWER, IOU_POWER = 0.5, 6.0
"""How much a cell's score and its box's IoU count in how well it finds a person."""
EPSILON = 1e-9


class Assignment(NamedTuple):
    """What the ``N`` cells of one input learn.

    Attributes:
        person: index of the person that each cell learns, int64 ``[N]``; -1 for none.
        quality: score to learn, float 0..1 ``[N]``: 0 for nobody; for each person's best cell the IoU of its box.
    """

    person: torch.Tensor
    quality: torch.Tensor


def pair_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """IoU of each of ``x1 y1 x2 y2`` float ``[A, 4]`` with each of ``[B, 4]``: float 0..1 ``[A, B]``."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    areas = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).clamp(min=0).prod(1)
    return shared / (areas - shared).clamp(min=EPSILON)


def near(points: torch.Tensor, strides: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Whether each cell may learn each person: its centre is in their box, or next to the middle of a small one.

    Args:
        points: centres of cells, float ``[N, 2]``.
        strides: sides of cells, float ``[N]``.
        boxes: of people, float ``[P, 4]``.

    Returns:
        bool ``[P, N]``.
    """
    inside = ((points > boxes[:, None, :2]) & (points < boxes[:, None, 2:])).all(2)
    middle = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    beside = ((points - middle).abs().amax(2) <= strides / 2) & (strides == strides.min())
    return inside | beside


@torch.no_grad()
def assign(
    scores: torch.Tensor, boxes: torch.Tensor, points: torch.Tensor, strides: torch.Tensor, people: torch.Tensor
) -> Assignment:
    """Assign the cells of one input to people.

    Args:
        scores: that the cells have now, float 0..1 ``[N]``.
        boxes: that they have now, float ``[N, 4]``.
        points: their centres, float ``[N, 2]``.
        strides: their sides, float ``[N]``.
        people: people's true boxes, float ``[P, 4]``; P may be 0.
    """
    nobody = torch.full(scores.shape, -1, dtype=torch.int64, device=scores.device)
    if not len(people):
        return Assignment(nobody, torch.zeros_like(scores))
    iou = pair_iou(people, boxes)
    metric = scores**SCORE_POWER * iou**IOU_POWER * near(points, strides, people)
    best = metric.topk(min(CANDIDATES, metric.shape[1]), dim=1)
    chosen = torch.zeros_like(metric).scatter_(1, best.indices, best.values)
    # A cell that several people chose learns the one whom its box fits best.
    fitting, person = torch.where(chosen > 0, iou, -1.0).max(0)
    taken = fitting >= 0
    held = torch.where(taken, torch.arange(len(people), device=scores.device)[:, None] == person, False)
    chosen, iou = chosen * held, iou * held
    share = chosen / chosen.amax(1, keepdim=True).clamp(min=EPSILON**3)
    quality = (share * iou.amax(1, keepdim=True)).amax(0)
    return Assignment(torch.where(taken, person, nobody), quality)
