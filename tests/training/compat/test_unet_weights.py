"""Upstream's foreground UNets in every layout in which they are published.

Stand-ins: no weights of upstream can be had here. These are random ones, drawn through
segmentation_models_pytorch and saved under the keys of its published checkpoints.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hiseg_training.compat.unet import UNetStage
from hiseg_training.compat.unet_weights import SHAPES, UpstreamCheckpointError, _variant, read_unet_weights
from hiseg_training.config.model import ModelConfig
from hiseg_training.models.hierarchical import HierarchicalModel

State = dict[str, torch.Tensor]
MEAN, STD = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), 0.25)


@pytest.fixture(scope="module")
def unet() -> UNetStage:
    """Random weights, but lively ones: the norms' statistics are not those of a fresh model."""
    torch.manual_seed(0)
    stage = UNetStage("b0").train()
    with torch.no_grad():
        for _ in range(3):
            stage(torch.rand(2, 3, 64, 64))
    return stage.eval()


@pytest.fixture(scope="module")
def state(unet: UNetStage) -> State:
    found: State = unet.net.state_dict()
    return found


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


class Kind(enum.Enum):
    STUDENT = "student"


@dataclass
class LiveConfig:
    """What distillation checkpoints hold: an object of a class that needs its own package to be unpickled."""

    name: str
    kind: Kind
    folder: Path


def save(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


LAYOUTS = {
    "distilled student": lambda s: {"epoch": 3, "model_state_dict": prefixed(s, "unet."), "best_iou": 0.87},
    "ternaus": lambda s: {"state_dict": prefixed(s, "model."), "epoch": 30},
    "bare": lambda s: s,
    "bare, data parallel": lambda s: prefixed(s, "module."),
    "student, data parallel": lambda s: {"model_state_dict": prefixed(s, "module.unet.")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_outputs_are_the_librarys_own(layout: str, unet: UNetStage, state: State, tmp_path: Path) -> None:
    # The name says something else: it isn't looked at.
    weights = read_unet_weights(save(tmp_path / "best_model_b7_0.9009.pth", LAYOUTS[layout](state)))
    assert weights.variant == "b0"
    images = torch.rand(2, 3, 64, 96)
    stage = weights.stage()
    with torch.inference_mode():
        found = stage(images)
        expected = unet.net((images - unet.mean) / unet.std)
    assert torch.equal(found.logits, expected)
    assert [level.shape[2] for level in found.levels] == [4, 8, 16, 32, 64]
    # Any size will do, not only multiples of 32.
    assert stage(torch.rand(1, 3, 50, 70)).logits.shape == (1, 1, 50, 70)


@pytest.mark.parametrize(
    ("weight", "bias"), [((1.0, -1.0), (0.0, 0.0)), ((1.2, -0.7), (0.3, -0.1)), ((-1.0, 1.0), (0.2, 0.0))]
)
@pytest.mark.parametrize("network", ["pretrained_unet.model.model.", "module.pretrained_unet.model.model."])
def test_a_whole_checkpoints_wrapper_is_folded_in(
    network: str, weight: tuple[float, float], bias: tuple[float, float], unet: UNetStage, state: State, tmp_path: Path
) -> None:
    above = network.removesuffix("model.model.")
    content = {
        **prefixed(state, network),
        f"{above}model.norm_mean": MEAN,
        f"{above}model.norm_std": STD,
        f"{above}output_conv.weight": torch.tensor(weight).view(2, 1, 1, 1),
        f"{above}output_conv.bias": torch.tensor(bias),
        "rgb_feature_extractor.0.weight": torch.rand(64, 3, 3, 3),
    }
    weights = read_unet_weights(save(tmp_path / "whole.pth", {"model_state_dict": content, "config": {"name": "x"}}))
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        logit = unet.net((images - MEAN) / STD)
        both = torch.nn.functional.conv2d(logit, torch.tensor(weight).view(2, 1, 1, 1), torch.tensor(bias))
        person = 0 if weight[0] > weight[1] else 1
        expected = both.softmax(1)[:, person : person + 1]
        torch.testing.assert_close(weights.stage()(images).logits.sigmoid(), expected, atol=1e-5, rtol=1e-4)


def test_a_whole_checkpoint_without_the_wrapper(unet: UNetStage, state: State, tmp_path: Path) -> None:
    content = {
        **prefixed(state, "pretrained_unet.model."),
        "pretrained_unet.norm_mean": MEAN,
        "pretrained_unet.norm_std": STD,
    }
    weights = read_unet_weights(save(tmp_path / "old.pth", {"model_state_dict": content}))
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(weights.stage()(images).logits, unet.net((images - MEAN) / STD))


@pytest.mark.parametrize("variant", ["b1", "b3", "b7"])
def test_the_variant_follows_from_the_weights(variant: str) -> None:
    with torch.device("meta"):
        stage = UNetStage(variant)
    assert _variant(Path("b0.pth"), stage.net.state_dict()) == variant
    assert sum(p.numel() for p in stage.net.parameters()) == {"b1": 8757105, "b3": 13159033, "b7": 67095329}[variant]
    assert {*SHAPES.values()} == {"b0", "b1", "b3", "b7"}


def test_it_serves_as_a_models_coarse_stage(state: State, tmp_path: Path) -> None:
    weights = read_unet_weights(save(tmp_path / "student.pth", {"model_state_dict": prefixed(state, "unet.")}))
    small = ModelConfig(fine_widths=(16, 12, 8, 8))
    model = HierarchicalModel(weights.config(small)).eval()
    assert isinstance(model.coarse, UNetStage)
    weights.load_into(model.coarse)
    images = torch.randint(0, 256, (1, 3, 96, 128), dtype=torch.uint8)
    with torch.inference_mode():
        masks, foreground, _ = model(images, torch.tensor([[0, 0.1, 0.1, 0.9, 0.9]]))
        expected = weights.stage()(images.float() / 255).logits.sigmoid()
    assert masks.shape == (1, 3, 128, 96)
    torch.testing.assert_close(foreground, expected, atol=1e-5, rtol=1e-4)


def test_live_objects_become_nothing(state: State, tmp_path: Path) -> None:
    config = {"model": LiveConfig("b0", Kind.STUDENT, Path("/nowhere"))}
    content = {"config": config, "best_iou": np.float64(0.87), "model_state_dict": prefixed(state, "unet.")}
    assert read_unet_weights(save(tmp_path / "student.pth", content)).variant == "b0"


def test_an_archive_of_one_checkpoint_and_the_oldest_format(state: State, tmp_path: Path) -> None:
    inner = save(tmp_path / "2020-09-23a.pth", {"state_dict": prefixed(state, "model.")})
    with zipfile.ZipFile(tmp_path / "release.zip", "w") as archive:
        archive.write(inner, inner.name)
    assert read_unet_weights(tmp_path / "release.zip").variant == "b0"
    old = save(tmp_path / "old.pth", state, _use_new_zipfile_serialization=False)
    assert read_unet_weights(old).variant == "b0"


class Attack:
    """Runs a command when it is unpickled, where that is let run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_never_run(zipped: bool, state: State, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    content = {"state_dict": {"encoder.conv_stem.weight": state["encoder.conv_stem.weight"]}, "x": Attack(proof)}
    path = save(tmp_path / "attack.pth", content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UpstreamCheckpointError, match="without running"):
        read_unet_weights(path)
    assert not proof.exists()


def test_misfits_name_the_first_key_and_both_shapes(state: State, tmp_path: Path) -> None:
    name = "decoder.blocks.0.conv1.0.weight"
    wrong = {**state, name: torch.zeros(128, 432, 3, 3)}
    weights = read_unet_weights(save(tmp_path / "wide.pth", wrong))
    with pytest.raises(
        UpstreamCheckpointError, match=rf"{name}: the file has \(128, 432, 3, 3\), .*\(256, 432, 3, 3\)"
    ):
        weights.stage()
    less = {k: v for k, v in state.items() if k != "segmentation_head.0.bias"}
    with pytest.raises(UpstreamCheckpointError, match=r"segmentation_head.0.bias: the file has missing, .*\(1,\)"):
        read_unet_weights(save(tmp_path / "less.pth", less)).stage()
    with pytest.raises(UpstreamCheckpointError, match=r"extra: the file has \(1,\), .* not part of it"):
        dataclasses.replace(weights, state={**state, "extra": torch.zeros(1)}).stage()


def test_files_that_hold_something_else(state: State, tmp_path: Path) -> None:
    with pytest.raises(UpstreamCheckpointError, match=r"has 0 tensors named encoder\.conv_stem\.weight"):
        read_unet_weights(save(tmp_path / "other.pth", {"state_dict": {"a": torch.zeros(1)}}))
    with pytest.raises(UpstreamCheckpointError, match="stem width, blocks and last width"):
        read_unet_weights(save(tmp_path / "stem.pth", {"encoder.conv_stem.weight": torch.zeros(48, 3, 3, 3)}))
    with pytest.raises(UpstreamCheckpointError, match="not a dictionary"):
        read_unet_weights(save(tmp_path / "list.pth", [1, 2]))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UpstreamCheckpointError, match="no checkpoint"):
        read_unet_weights(tmp_path / "text.pth")
    with pytest.raises(FileNotFoundError):
        read_unet_weights(tmp_path / "none.pth")
