"""What is frozen stands still, and encoders join in from the deepest block up."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from hiseg_training.compat.unet import UNetStage
from hiseg_training.models.coarse import CoarseNetwork, CoarseStage
from hiseg_training.models.freezing import UnfreezeSchedule, freeze, trainable_weights, unfreeze
from hiseg_training.models.hierarchical import HierarchicalModel, build_coarse, to_unit
from tests.training.config.test_model import SMALL
from tests.training.models.test_hierarchical import inputs


@pytest.fixture(params=["residual", "lite", "unet"])
def stage(request: pytest.FixtureRequest) -> CoarseNetwork:
    return build_coarse(replace(SMALL, coarse_family=request.param)).train()


def test_a_frozen_stage_keeps_weights_and_statistics_whoever_calls_train() -> None:
    model = HierarchicalModel(SMALL)
    freeze(model.coarse)
    model = copy.deepcopy(model.train())
    before = {name: value.clone() for name, value in model.coarse.state_dict().items()}
    images, rois = inputs()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen, people = model.run_coarse(to_unit(images), rois), model.crop_logits(to_unit(images), rois, (128, 96))
    (seen.logits.mean() + people.square().mean()).backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in model.coarse.state_dict().items())
    assert model.fine.training
    model.coarse.requires_grad_(True)
    assert model.train().coarse.training


def test_blocks_are_unfrozen_one_by_one() -> None:
    schedule = UnfreezeSchedule(start=5, every=3)
    assert [schedule.unfrozen_blocks(epoch, 3) for epoch in (0, 4, 5, 7, 8, 10, 11, 99)] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_deepest_block_is_first_the_stem_last_and_the_last_layer_always(stage: CoarseNetwork) -> None:
    schedule = UnfreezeSchedule(start=1, every=1)
    assert isinstance(stage, UNetStage | CoarseStage)
    last = stage.net.segmentation_head if isinstance(stage, UNetStage) else stage.head
    blocks, counts = stage.encoder_blocks(), []
    for epoch in range(len(blocks) + 2):
        free = trainable_weights(stage, epoch, schedule)
        assert {id(w) for w in last.parameters()} <= {id(w) for w in free.decoder}
        assert not {id(w) for w in free.decoder} & {id(w) for w in stage.encoder.parameters()}
        counts.append(len(free.encoder))
    assert counts[0] == 0
    assert counts[1] == sum(len(list(part.parameters())) for part in blocks[-1])
    assert counts == sorted(counts)
    everything = {id(w) for w in stage.parameters()}
    if isinstance(stage, UNetStage):
        everything -= {id(w) for part in ("conv_head", "bn2") for w in getattr(stage.encoder, part).parameters()}
    assert {id(w) for group in free for w in group} == everything


def test_unfreezing_moves_what_has_joined_in_and_nothing_else(stage: CoarseNetwork) -> None:
    free = unfreeze(stage, 5, UnfreezeSchedule())
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    optimizer = torch.optim.SGD([weight for group in free for weight in group], lr=0.1)
    stage.train()(torch.rand(2, 3, 64, 64)).logits.square().mean().backward()
    assert all(weight.grad is not None for group in free for weight in group)
    optimizer.step()
    moved = {name for name, value in stage.state_dict().items() if not torch.equal(value, before[name])}
    deepest = {id(m) for part in stage.encoder_blocks()[-1] for m in part.modules()}
    for prefix, module in stage.named_modules():
        for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            inside = prefix.startswith(("encoder", "net.encoder"))
            if f"{prefix}.{name}" in moved:
                assert not inside or id(module) in deepest
            elif isinstance(module, nn.Conv2d) and not inside:
                pytest.fail(f"{prefix}.{name} didn't move")


@pytest.mark.parametrize("wrong", [{"start": -1}, {"every": 0}, {"encoder_rate": 0.0}])
def test_impossible_schedules_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UnfreezeSchedule(**wrong)  # type: ignore[arg-type]
