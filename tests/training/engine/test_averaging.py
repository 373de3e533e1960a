"""The mean of models' weights is computed number by number, and only of models that are alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from hiseg.engines.contract import ModelError
from hiseg_training.cli.main import app
from hiseg_training.config.model import ModelConfig
from hiseg_training.engine.averaging import load_average
from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
from hiseg_training.models.hierarchical import HierarchicalModel

SMALL = ModelConfig(fine_widths=(16, 16, 16, 8), coarse_widths=(8,) * 4)


def _saved(path: Path, seed: int, config: ModelConfig = SMALL, half: bool = False) -> Path:
    torch.manual_seed(seed)
    save_checkpoint(path, HierarchicalModel(config), {}, half)
    return path


def test_each_model_counts_alike(tmp_path: Path) -> None:
    paths = [_saved(tmp_path / f"{seed}.pth", seed, half=seed == 2) for seed in range(3)]
    states = [load_checkpoint(path).state_dict() for path in paths]
    output = tmp_path / "mean.pth"
    result = CliRunner().invoke(app, ["average", *map(str, paths), "--output", str(output)])
    assert result.exit_code == 0, result.output
    for name, value in load_checkpoint(output).state_dict().items():
        expected = torch.stack([state[name].double() for state in states]).mean(0)
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), expected, atol=1e-6, rtol=1e-5)
        else:
            assert torch.equal(value, states[0][name])


def test_who_is_named_twice_counts_twice(tmp_path: Path) -> None:
    first, second = (_saved(tmp_path / f"{seed}.pth", seed) for seed in range(2))
    output = tmp_path / "mean.pth"
    result = CliRunner().invoke(app, ["average", *map(str, [first, second, first]), "--output", str(output)])
    assert result.exit_code == 0, result.output
    bias = "fine.head.bias"
    a, b, mean = (load_checkpoint(path).state_dict()[bias] for path in (first, second, output))
    torch.testing.assert_close(mean, (2 * a + b) / 3)


def test_models_of_different_configurations_have_no_mean(tmp_path: Path) -> None:
    wide = ModelConfig(fine_widths=(16, 16, 16, 16), coarse_widths=(8,) * 4)
    first, second = _saved(tmp_path / "a.pth", 0), _saved(tmp_path / "b.pth", 0, wide)
    with pytest.raises(ModelError, match=r"b\.pth: fine_widths are not those of .*a\.pth"):
        load_average([first, second])


def test_a_pattern_names_them_all(tmp_path: Path) -> None:
    paths = [_saved(tmp_path / f"{seed}.pth", seed) for seed in range(2)]
    output = tmp_path / "mean"
    result = CliRunner().invoke(app, ["average", str(tmp_path / "*.pth"), "--output", str(output)])
    assert "the mean of 2 checkpoints" in result.output
    written = load_checkpoint(output).state_dict()
    for name, value in load_average(paths).state_dict().items():
        assert torch.equal(written[name], value)


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    one = _saved(tmp_path / "a.pth", 0)
    result = CliRunner().invoke(app, ["average", str(one), "missing.pth", "--output", str(tmp_path / "mean.pth")])
    assert (result.exit_code, "checkpoints: missing.pth is no file" in result.output) == (2, True)


def test_one_checkpoint_has_no_mean(tmp_path: Path) -> None:
    one = _saved(tmp_path / "a.pth", 0)
    result = CliRunner().invoke(app, ["average", str(one), "--output", str(tmp_path / "mean.pth")])
    assert result.exit_code == 2
    assert "checkpoints: 1 were given" in result.output
    assert not (tmp_path / "mean.pth").exists()
