"""Checkpoints carry their configuration and nothing that could run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hiseg.engines.contract import ModelError
from hiseg_training.config.model import ModelConfig
from hiseg_training.engine.checkpoints import load_checkpoint, load_coarse, save_checkpoint
from hiseg_training.models.hierarchical import HierarchicalModel


def test_the_configuration_is_read_from_the_file(tmp_path: Path) -> None:
    config = ModelConfig(mask_size=(160, 120), fine_widths=(16, 16, 16, 8))
    path = tmp_path / "best_model_b7_r64x48.pt"
    save_checkpoint(path, HierarchicalModel(config), {"note": "the name says something else"})
    assert load_checkpoint(path).config == config
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_half_precision_weights_can_start_a_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = HierarchicalModel(ModelConfig(fine_widths=(16, 16, 16, 8), coarse_boxes=True)).eval()
    for half in (False, True):
        save_checkpoint(tmp_path / f"{half}.pth", model, {}, half)
    assert (tmp_path / "True.pth").stat().st_size < 0.6 * (tmp_path / "False.pth").stat().st_size
    again = load_checkpoint(tmp_path / "True.pth")
    crops = torch.rand(1, 6, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(again.fine(crops), model.fine(crops), atol=1e-2, rtol=1e-2)


def test_files_with_code_in_them_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    torch.save({"config": Path("/"), "state_dict": {}}, path)
    with pytest.raises(ModelError, match="no checkpoint of this project's"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_are_said_in_a_line(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "any.pt", HierarchicalModel(ModelConfig(fine_widths=(16, 16, 16, 8))), {})
    content = torch.load(tmp_path / "any.pt", weights_only=True)
    content["state_dict"].popitem()
    torch.save(content, tmp_path / "any.pt")
    with pytest.raises(ModelError, match="its weights don't fit its configuration"):
        load_checkpoint(tmp_path / "any.pt")


def test_of_a_fine_stage_that_read_the_coarse_stage_only_the_latter_is_loaded(tmp_path: Path) -> None:
    model = HierarchicalModel(ModelConfig(fine_widths=(16, 16, 16, 8), coarse_widths=(8,) * 4)).eval()
    path = tmp_path / "any.pt"
    save_checkpoint(path, model, {})
    now = load_coarse(path)
    content = torch.load(path, weights_only=True)
    stem = content["state_dict"]["fine.encoder.stem.0.weight"]
    content["state_dict"] |= {"fine.encoder.stem.0.weight": stem[:, :5], "fine.prior.weight": torch.zeros(16, 17, 1, 1)}
    torch.save(content, path)
    before = load_coarse(path)
    for found in (now, before):
        assert found.config == model.config
        image = torch.rand(1, 3, 64, 64)
        with torch.inference_mode():
            assert torch.equal(found.stage(image).logits, model.coarse(image).logits)
    assert now.fine.keys() == model.fine.state_dict().keys()
    assert not before.fine
    with pytest.raises(ModelError, match="its fine stage reads the coarse stage's features, as none does any more"):
        load_checkpoint(path)
