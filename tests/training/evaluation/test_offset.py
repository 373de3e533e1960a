"""An offset of the person's log-odds is chosen by how well masks fit, and goes into the model's last bias."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hiseg.core.image import Floats, Pixels
from hiseg_training.cli.main import app
from hiseg_training.config.model import TARGET, ModelConfig
from hiseg_training.data.coco import Photo
from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
from hiseg_training.evaluation.offset import Fit, best_offset, climb
from hiseg_training.inference.runner import Runner
from hiseg_training.models.hierarchical import HierarchicalModel

SMALL = ModelConfig(fine_widths=(16, 16, 16, 8), coarse_widths=(8,) * 4)


@given(st.integers(-10, 10), st.floats(0.01, 10))
def test_the_best_step_is_found_wherever_one_way_leads_up_to_it(peak: int, steepness: float) -> None:
    asked: list[int] = []

    def measure(step: int) -> Fit:
        asked.append(step)
        return Fit(step / 10, 1 - steepness * abs(step - peak), 0.5, 0.5)

    assert climb(measure, 10).offset == peak / 10
    assert len(asked) == len(set(asked))


def test_masks_that_are_too_large_are_made_smaller(photos: list[Photo], oracle: Runner) -> None:
    def takes_too_much(images: Pixels, rois: Floats) -> tuple[Floats, Floats | None]:
        truth, foreground = oracle.predict(images, rois)
        doubt = np.random.default_rng(0).uniform(-1, 0.35, truth.shape[2:]).astype(np.float32)
        masks = np.zeros_like(truth)
        masks[:, TARGET] = np.where(truth[:, TARGET] > 0, 5, doubt)
        return masks, foreground

    told: list[str] = []
    fit = best_offset(replace(oracle, predict=takes_too_much), photos, told.append)
    assert fit.offset <= -0.3  # where no doubt is left; a little more still helps where pixels are half a person's
    assert fit.miou > 0.999
    assert told[0].startswith("offset +0.0: mean IoU 0.")
    assert float(told[0].split()[4].rstrip(",")) < 0.98


def test_a_model_without_doubt_is_left_as_it_is(photos: list[Photo], oracle: Runner) -> None:
    assert best_offset(oracle, photos).offset == 0


def test_the_command_changes_the_persons_bias_and_nothing_else(drawn: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    before, after = tmp_path / "before.pth", tmp_path / "after.pth"
    save_checkpoint(before, HierarchicalModel(SMALL), {})
    annotations = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
    images = drawn / "images" / "val2017"
    arguments = [str(before), "--output", str(after), "--val-ann", str(annotations), "--val-images", str(images)]
    result = CliRunner().invoke(app, ["offset", *arguments])
    assert result.exit_code == 0, result.output
    offset = float(result.output.rsplit("offset ", 1)[1].split(":")[0])
    old, new = (load_checkpoint(path).state_dict() for path in (before, after))
    changed = [name for name in old if not torch.equal(old[name], new[name])]
    assert changed == (["fine.head.bias"] if offset else [])
    expected = old["fine.head.bias"].clone()
    expected[4:8] += offset
    torch.testing.assert_close(new["fine.head.bias"], expected)


def test_a_hierarchical_head_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "hierarchical.pth"
    save_checkpoint(path, HierarchicalModel(replace(SMALL, hierarchical=True)), {})
    result = CliRunner().invoke(app, ["offset", str(path), "--output", str(tmp_path / "after.pth")])
    assert result.exit_code == 2
    assert "hierarchical head" in result.output
