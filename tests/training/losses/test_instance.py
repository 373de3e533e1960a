"""The fine stage's loss: its own terms, their sum, and what it makes of crops with nobody in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from hiseg_training.config.model import UNKNOWN
from hiseg_training.losses.instance import (
    InstanceLoss,
    LossConfig,
    contour_loss,
    distance_loss,
    identity_loss,
)
from hiseg_training.losses.outlines import outline_band, signed_distance
from hiseg_training.models.fine import FineOutput
from tests.training.losses.maps import blobs, seeds, sigmoid

EVERYTHING = LossConfig(
    class_weights=(0.538, 0.75, 1.712),
    focal_gamma=2.0,
    boundary=1.0,
    separation=2.0,
    contour=0.1,
    distance=0.2,
    foreground=1.5,
    identity=1.5,
)


def output(people: int = 2, dtype: torch.dtype = torch.float32) -> FineOutput:
    """Leaves that take gradients."""
    torch.manual_seed(0)
    maps = {"logits": 3, "foreground": 1, "identity": 1, "contour": 1, "distance": 1}
    return FineOutput(**{k: torch.randn(people, c, 32, 24).to(dtype).requires_grad_() for k, c in maps.items()})  # type: ignore[arg-type]


@given(seeds)
@settings(max_examples=15)
def test_contour(seed: int) -> None:
    target = torch.from_numpy(blobs(seed) == 1)
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 2, target.shape).astype(np.float32))
    known = torch.from_numpy(blobs(seed + 1) != 0)
    band = outline_band(target, known)
    positive = min(20.0, max(1.0, int((~band & known).sum()) / max(int((band & known).sum()), 1e-6)))
    total = weight = 0.0
    rows = zip(logits.ravel().tolist(), band.ravel().tolist(), known.ravel().tolist(), strict=True)
    for value, there, counts in rows:
        here = (positive if there else 1.0) * counts
        total -= here * np.log(sigmoid(value) if there else sigmoid(-value))
        weight += here
    assert contour_loss(logits, target, known).item() == pytest.approx(total / max(weight, 1e-6), rel=1e-3, abs=1e-5)


@given(seeds)
@settings(max_examples=15)
def test_distance(seed: int) -> None:
    target = torch.from_numpy(blobs(seed) == 1)
    guess = torch.from_numpy(np.random.default_rng(seed).normal(0, 0.7, target.shape).astype(np.float32))
    known = torch.from_numpy(blobs(seed + 1) != 0)
    errors = (guess - signed_distance(target)).abs()[known].tolist()
    plain = [error**2 / 0.2 if error < 0.1 else error - 0.05 for error in errors]
    assert distance_loss(guess, target, known).item() == pytest.approx(np.mean(plain) if plain else 0.0, rel=1e-3)


@given(seeds)
@settings(max_examples=15)
def test_the_identity_loss_is_over_people_only(seed: int) -> None:
    labels = blobs(seed)
    logits = np.random.default_rng(seed).normal(0, 2, labels.shape).astype(np.float32)
    found = [
        -np.log(sigmoid(value if label == 1 else -value))
        for value, label in zip(logits.ravel(), labels.ravel(), strict=True)
        if label
    ]
    loss = identity_loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert loss.item() == pytest.approx(np.mean(found) if found else 0.0, rel=1e-3, abs=1e-6)


def test_the_total_is_the_weighted_sum_of_what_is_there() -> None:
    people, labels = output(), torch.from_numpy(blobs(3))
    terms = InstanceLoss(EVERYTHING)(people, labels)
    names = {"cross_entropy", "dice", "contour", "distance", "foreground", "identity"}
    assert terms.keys() == names | {"total"}
    expected = sum(getattr(EVERYTHING, name) * terms[name].item() for name in names)
    assert terms["total"].item() == pytest.approx(expected, rel=1e-5)
    plain = InstanceLoss(EVERYTHING)(FineOutput(people.logits), labels)
    assert plain.keys() == {"cross_entropy", "dice", "total"}


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("people", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_class_alone_and_nobody_give_finite_gradients(label: int, people: int, dtype: torch.dtype) -> None:
    leaves = output(people, dtype)
    terms = InstanceLoss(EVERYTHING)(leaves, torch.full((people, 32, 24), label))
    assert all(term.dtype == torch.float32 and term.isfinite() for term in terms.values())
    assert people or terms["total"] == 0
    terms["total"].backward()
    for leaf in (leaves.logits, leaves.foreground, leaves.identity, leaves.contour, leaves.distance):
        assert leaf is not None
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


def test_unknown_pixels_count_in_no_term() -> None:
    labels = torch.from_numpy(blobs(3))
    labels[:, 8:20, 6:18] = UNKNOWN
    before, after = output(), output()
    for leaf in (after.logits, after.foreground, after.identity, after.contour, after.distance):
        assert leaf is not None
        with torch.no_grad():
            leaf[:, :, 8:20, 6:18] = torch.randn(leaf.shape)[:, :, 8:20, 6:18] * 5
    found = InstanceLoss(EVERYTHING)(after, labels)
    for name, term in InstanceLoss(EVERYTHING)(before, labels).items():
        torch.testing.assert_close(found[name], term, msg=name)
    found["total"].backward()
    assert after.logits.grad is not None
    assert not after.logits.grad[:, :, 8:20, 6:18].any()
    everything = InstanceLoss(EVERYTHING)(output(), torch.full_like(labels, UNKNOWN))
    assert {name: term.item() for name, term in everything.items()} == dict.fromkeys(everything, 0.0)


def test_separation_and_boundary_move_the_weight_to_where_people_meet() -> None:
    labels = torch.zeros(1, 64, 48, dtype=torch.long)
    labels[:, :, 8:24], labels[:, :, 24:40] = 1, 2
    for config in (LossConfig(separation=2.0), LossConfig(boundary=2.0)):
        weights = InstanceLoss(config).pixel_weights(labels)
        assert weights is not None
        assert weights[0, 32, 24] > 2.5
        assert weights[0, 32, 0] == pytest.approx(1, abs=1e-3)
    apart = InstanceLoss(LossConfig(separation=2.0)).pixel_weights(labels)
    assert apart is not None
    assert apart[0, 32, 8] < 1.01, "an outline far from other people counts as any pixel"
    assert InstanceLoss(LossConfig()).pixel_weights(labels) is None


def test_the_loss_falls_towards_the_truth() -> None:
    labels = torch.from_numpy(blobs(5))
    right = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    losses = [InstanceLoss()(FineOutput(right * sure), labels)["total"].item() for sure in (-4.0, 0.0, 4.0, 20.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3


def test_gradients() -> None:
    labels = torch.from_numpy(blobs(1, people=1, height=4, width=3))

    def loss(logits: torch.Tensor, foreground: torch.Tensor) -> torch.Tensor:
        return InstanceLoss(EVERYTHING)(FineOutput(logits, foreground=foreground), labels)["total"]

    torch.manual_seed(0)
    leaves = [torch.randn(1, c, 4, 3, dtype=torch.float64, requires_grad=True) for c in (3, 1)]
    # The losses compute in float32, so the differences are as coarse as that.
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-2, atol=5e-3, rtol=5e-2)


@pytest.mark.parametrize("wrong", [{"dice": -1.0}, {"contour": float("nan")}, {"class_weights": (1.0, 1.0)}])
def test_impossible_weights_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossConfig(**wrong)  # type: ignore[arg-type]
