"""A stage trained for a moment on a few real photographs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.checkpoint import load_checkpoint
from training.config import ModelConfig
from training.data.coco import read_split
from training.models.hierarchical import HierarchicalModel
from training.stages import fit as fit_module
from training.stages.fit import Schedule, fit
from training.stages.objectives import STAGES


def test_rate_warms_up_and_falls() -> None:
    schedule = Schedule(learning_rate=1.0, warmup=0.1)
    rates = [schedule.rate(progress) for progress in (0, 0.05, 0.1, 0.5, 1.0, 1.5)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1.0)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.01)
    assert rates[5] == pytest.approx(0.01)


@pytest.mark.parametrize("stage", ["early", "coarse", "joint"])
def test_only_the_stages_part_moves_and_the_checkpoint_can_be_used(
    stage: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    small = replace(STAGES[stage], batch_images=2, recipe=replace(STAGES[stage].recipe, canvas=(128, 128)))
    monkeypatch.setitem(fit_module.STAGES, stage, small)
    model = HierarchicalModel(ModelConfig(fine_widths=(16, 16, 16, 16), coarse_widths=(16, 16, 16, 16)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    photos = read_split(data, "train")[:6]
    trained = fit(model, photos, stage, Schedule(epochs=2, workers=0), tmp_path)
    moved = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {STAGES[stage].part}
    loaded = load_checkpoint(tmp_path / "checkpoint.pt")
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2]
    assert all(math.isfinite(entry["loss"]) for entry in log)


def test_a_few_steps_make_the_loss_fall(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setitem(fit_module.STAGES, "early", replace(STAGES["early"], batch_images=4))
    photos = read_split(data, "train")[:8]
    fit(HierarchicalModel(ModelConfig()), photos, "early", Schedule(epochs=10, workers=0), tmp_path)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert sum(losses[-3:]) / 3 < 0.9 * losses[0]
