"""``hiseg-train export-unet`` writes what upstream's script of that purpose writes, of its checkpoints and of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from typer.testing import CliRunner

from hiseg_training.cli.main import app
from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.engine.checkpoints import save_checkpoint
from hiseg_training.models.encoder import IMAGENET_MEAN, IMAGENET_STD
from hiseg_training.models.hierarchical import HierarchicalModel


def export(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["export-unet", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def normalised(batch: int, height: int, width: int) -> torch.Tensor:
    images = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (batch, 3, height, width)).astype(np.float32))
    return (images - torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)) / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)


def test_an_upstream_unet_answers_as_the_library_that_it_is_made_with(tmp_path: Path) -> None:
    """The checkpoint is a stand-in with random weights."""
    torch.manual_seed(0)
    stage = UNetStage("b0").train()
    with torch.no_grad():
        for _ in range(3):
            stage(torch.rand(2, 3, 32, 32))
    net = stage.eval().net
    state = {f"unet.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, "model_state_dict": state}, tmp_path / "best_model_b0_0.8741.pth")
    said = export("--checkpoint", tmp_path / "best_model_b*.pth", "--height", 64, "--width", 96, "--batch-size", 2)
    assert "b0; PyTorch and ONNX Runtime differ by" in said
    path = tmp_path / "best_model_b0_0.8741.onnx"
    assert not any(node.op_type == "BatchNormalization" for node in onnx.load(path).graph.node)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [2, 3, 64, 96]
    images = normalised(2, 64, 96)
    (found,) = session.run(["output"], {"input": images.numpy()})
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(found), net(images), atol=1e-4, rtol=1e-4)


def test_the_coarse_stage_of_our_checkpoints_too(tmp_path: Path) -> None:
    """Its answer is that of ``binary_masks`` before the sigmoid, for any batch and size, as ``--dynamic`` says."""
    torch.manual_seed(0)
    small = ModelConfig(fine_widths=(16, 16, 16, 16), coarse_widths=(16, 16, 16, 8), coarse_boxes=True)
    model = HierarchicalModel(small).eval()
    save_checkpoint(tmp_path / "ours.pth", model, {})
    export(
        "--checkpoint",
        tmp_path / "ours.pth",
        "--dynamic",
        "--output_dir",
        tmp_path / "out",
        *("--height", 64, "--width", 96),
    )
    session = ort.InferenceSession(tmp_path / "out" / "ours.onnx", providers=["CPUExecutionProvider"])
    mean, std = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    for shape in ((1, 3, 64, 96), (3, 3, 128, 32)):
        pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        (found,) = session.run(None, {"input": ((pixels / 255 - mean) / std).numpy()})
        with torch.inference_mode():
            _, foreground, _ = model(pixels, torch.zeros(0, 5))
        torch.testing.assert_close(torch.from_numpy(found).sigmoid(), foreground, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--opset", 16), "opset: 16 is not one of 18, 19, 20, 21"),
        (("--height", 100), "height: 100 is not a multiple of 32"),
        (("--batch-size", 0), "batch_size: 0 is less than 1"),
    ],
)
def test_impossible_exports_are_refused_with_the_reason(tmp_path: Path, flags: tuple[object, ...], said: str) -> None:
    (tmp_path / "any.pth").write_bytes(b"")
    assert said in export("--checkpoint", tmp_path / "any.pth", *flags, code=2)
