"""Losses: right is small, wrong is large, labels follow identities."""

from __future__ import annotations

import torch

from training.losses.segmentation import foreground_loss, person_loss, soft_dice, three_class_labels


def test_labels() -> None:
    identities = torch.tensor([[[[0.0, 1.0, 2.0]]], [[[0.0, 1.0, 2.0]]]])
    labels = three_class_labels(identities, torch.tensor([1, 2]))
    assert labels.tolist() == [[[0, 1, 2]], [[0, 2, 1]]]


def test_dice() -> None:
    truth = torch.zeros(1, 4, 4)
    truth[:, :2] = 1
    assert soft_dice(truth, truth) == 0
    assert soft_dice(1 - truth, truth) > 0.9
    assert soft_dice(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)) == 0


def test_person_loss_falls_towards_the_truth() -> None:
    labels = torch.randint(0, 3, (2, 8, 8))
    right = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    losses = [person_loss(right * confidence, labels) for confidence in (-4.0, 0.0, 4.0, 20.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3


def test_foreground_loss_takes_partly_covered_cells() -> None:
    truth = torch.full((1, 1, 4, 4), 0.25)
    at, off = torch.logit(truth), torch.zeros_like(truth)
    assert foreground_loss(at, truth) < foreground_loss(off, truth)
