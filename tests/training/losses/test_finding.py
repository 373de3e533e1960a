"""The finder's loss is smallest where boxes, scores and foreground are right, and nothing unknown counts."""

from __future__ import annotations

import torch

from hiseg_training.losses.finding import FinderTargets, finder_loss, generalized_iou
from hiseg_training.losses.foreground import ForegroundLossConfig
from hiseg_training.models.finder import Found, cell_centres

POINTS = cell_centres(4, 4, 8, torch.zeros(()))
PERSON = torch.tensor([[0.0, 6.0, 6.0, 22.0, 26.0]])
CONFIG = ForegroundLossConfig()


def found(logit: float, moved: float = 0.0) -> Found:
    """One input: all cells have the person's box, moved, and a score."""
    boxes = (PERSON[:, 1:] + moved).expand(1, 16, 4)
    return Found(torch.full((1, 16), logit), boxes, POINTS, torch.full((16,), 8.0), torch.full((1, 1, 8, 8), -9.0))


def targets(counted: bool = True, people: torch.Tensor = PERSON) -> FinderTargets:
    empty = torch.zeros(1, 1, 8, 8)
    return FinderTargets(people, torch.full((len(people),), counted), empty, torch.ones_like(empty))


def test_generalised_iou() -> None:
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]])
    b = torch.tensor([[0.0, 0.0, 2.0, 2.0], [3.0, 0.0, 4.0, 1.0]])
    assert torch.allclose(generalized_iou(a, b), torch.tensor([1.0, -0.5]))


def test_better_boxes_and_scores_cost_less() -> None:
    right, wrong = finder_loss(found(2.0), targets(), CONFIG), finder_loss(found(2.0, 4.0), targets(), CONFIG)
    assert float(right["box"]) < 1e-6 < float(wrong["box"])
    nobody = targets(people=PERSON[:0])
    sure, unsure = finder_loss(found(2.0), nobody, CONFIG), finder_loss(found(-6.0), nobody, CONFIG)
    assert float(unsure["score"]) < 0.01 < float(sure["score"])
    assert float(sure["box"]) == 0


def test_nothing_is_learnt_near_somebody_who_is_not_to_be_found() -> None:
    inside = ((PERSON[0, 1:3] < POINTS) & (PERSON[0, 3:] > POINTS)).all(1)
    prediction = found(-2.0)
    prediction.scores.requires_grad_()
    finder_loss(prediction, targets(counted=False), CONFIG)["total"].backward()
    assert prediction.scores.grad is not None
    assert not prediction.scores.grad[0, inside].any()
    assert prediction.scores.grad[0, ~inside].all()


def test_unknown_pixels_count_nothing() -> None:
    known = torch.zeros(1, 1, 8, 8)
    unknown = targets()._replace(known=known, foreground=torch.ones_like(known))
    assert float(finder_loss(found(2.0), unknown, CONFIG)["foreground"]) == 0
