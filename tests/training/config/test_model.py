"""Every option of a model's configuration: each can be had, none breaks the tensor contract."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from hiseg_training.config.model import ACTIVATIONS, NORMALIZATIONS, ModelConfig
from hiseg_training.models.fine import three_logits
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit
from tests.training.models.test_hierarchical import inputs

SMALL = ModelConfig(fine_widths=(16, 12, 8, 8), coarse_widths=(16, 12, 8, 8))
CHOICES: dict[str, tuple[object, ...]] = {
    "activation": ACTIVATIONS,
    "normalization": NORMALIZATIONS,
    "attention": (True, False),
    "hierarchical": (True, False),
    "contour": (True, False),
    "distance": (True, False),
    "fine_depth": (1, 2),
    "coarse_reduction": (1, 2),
    "coarse_boxes": (True, False),
    "other_boxes": (True, False),
    "coarse_family": (None, "efficientnet", "lite", "unet"),
}


def combinations() -> list[dict[str, object]]:
    """So many that each value of each option meets the others at random; the same ones every time."""
    rng = random.Random(0)
    return [{name: values[(k + rng.randrange(2)) % len(values)] for name, values in CHOICES.items()} for k in range(8)]


@pytest.mark.parametrize("options", combinations())
def test_combinations_keep_the_contract_and_train(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = HierarchicalModel(replace(SMALL, **options)).train()  # type: ignore[arg-type]
    images, rois = inputs()
    coarse = model.run_coarse(to_unit(images), rois)
    height, width = model.config.mask_size
    boxes = torch.randint(0, 2, (3, 2, height, width), dtype=torch.uint8)
    people = model.fine.outputs(model.crop_inputs(torch.rand(3, 3, height, width), boxes, torch.zeros(3)))
    wanted = {"contour": people.contour, "distance": people.distance, "hierarchical": people.foreground}
    for name, found in wanted.items():
        assert (found is not None) == options[name]
        assert found is None or found.shape == (3, 1, 128, 96)
    assert [level.shape[1] for level in people.levels] == list(model.fine.level_channels)
    assert [level.shape[1] for level in coarse.levels] == list(model.coarse.level_channels)
    maps = (people.logits, people.identity, people.contour, people.distance, coarse.logits)
    sum(found.square().mean() for found in maps if found is not None).backward()
    unused = {name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None}
    assert not unused
    model.eval()
    with torch.inference_mode():
        masks, foreground, _ = model(images, rois)
    assert masks.shape == (3, 3, 128, 96)
    assert foreground.shape == (2, 1, 96, 128)
    assert 0 <= foreground.min() <= foreground.max() <= 1


def test_the_branches_of_training_cost_nothing_and_change_nothing() -> None:
    torch.manual_seed(0)
    plain = HierarchicalModel(SMALL).eval()
    trained = HierarchicalModel(replace(SMALL, contour=True, distance=True)).eval()
    missing = trained.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing
    assert all(name.startswith("fine.branches.") for name in missing)
    calls = []
    for module in trained.fine.branches.modules():
        module.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        for a, b in zip(plain(*inputs()), trained(*inputs()), strict=True):
            assert torch.equal(a, b)
    assert not calls


def test_the_hierarchical_heads_levels_cannot_contradict_each_other() -> None:
    torch.manual_seed(0)
    model = HierarchicalModel(replace(SMALL, hierarchical=True)).eval()
    with torch.inference_mode():
        people = model.fine.outputs(torch.randn(2, 6, 128, 96) * 3)
    assert people.foreground is not None
    assert people.identity is not None
    nobody, target, other = people.logits.softmax(1).unbind(1)
    somebody, whose = people.foreground.sigmoid()[:, 0], people.identity.sigmoid()[:, 0]
    torch.testing.assert_close(nobody, 1 - somebody)
    torch.testing.assert_close(target, somebody * whose)
    torch.testing.assert_close(other, somebody * (1 - whose))


def test_answers_however_sure_give_finite_logits() -> None:
    sure = torch.tensor([-200.0, 0.0, 200.0])
    foreground, identity = torch.meshgrid(sure, sure, indexing="ij")
    logits = three_logits(foreground[None, None], identity[None, None])
    assert logits.isfinite().all()
    assert logits.argmax(1)[0].tolist() == [[0, 0, 0], [0, 0, 0], [2, 1, 1]]


def test_options_reach_every_block() -> None:
    model = HierarchicalModel(replace(SMALL, activation="gelu", normalization="layernorm2d", attention=False))
    kinds = {type(module) for module in model.modules()}
    assert nn.GELU in kinds
    assert not kinds & {nn.ReLU, nn.SiLU, nn.BatchNorm2d}
    assert {module.num_groups for module in model.modules() if isinstance(module, nn.GroupNorm)} == {1}
    grouped = HierarchicalModel(replace(SMALL, normalization="groupnorm", fine_widths=(16, 12, 10, 9)))
    groups = {m.num_channels: m.num_groups for m in grouped.modules() if isinstance(m, nn.GroupNorm)}
    assert {channels: groups[channels] for channels in (16, 12, 10, 9)} == {16: 8, 12: 4, 10: 2, 9: 1}


def test_a_configuration_written_before_these_options_still_loads() -> None:
    old = {"variant": "b1", "family": "residual", "mask_size": [128, 96], "context": 1.2, "pretrained": False}
    config = ModelConfig.from_dict(old)
    assert config == ModelConfig(variant="b1")
    assert config.coarse == ("residual", "b1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"activation": "tanh"},
        {"normalization": "none"},
        {"fine_depth": 0},
        {"coarse_reduction": 3},
        {"coarse_family": "plain"},
        {"coarse_variant": "b3"},
        {"fine_widths": (0, 1, 1, 1)},
    ],
)
def test_impossible_options_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ModelConfig(**wrong)  # type: ignore[arg-type]


def test_a_coarse_stage_of_another_kind_cannot_start_from_the_fine_one() -> None:
    with pytest.raises(ValueError, match="coarse_family"):
        HierarchicalModel(replace(SMALL, coarse_family="unet")).start_coarse_from_fine()
