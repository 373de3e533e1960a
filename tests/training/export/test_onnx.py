"""Exports keep the tensor contract and compute what the model computes."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training.config import CANVASES, ModelConfig
from training.export import onnx as export
from training.export.onnx import TOLERANCE, ParityError, example, export_onnx, fold_batch_norms, parity
from training.models.hierarchical import HierarchicalModel


@pytest.fixture(scope="module")
def model() -> HierarchicalModel:
    """Random weights, but lively ones: statistics and priors are not those of a fresh model."""
    torch.manual_seed(0)
    model = HierarchicalModel(ModelConfig(fine_widths=(32, 24, 16, 16), coarse_widths=(24, 16, 16, 8))).train()
    nn.init.normal_(model.fine.prior.weight, std=0.1)
    images, rois = example((2, 3, 96, 128), 6)
    with torch.no_grad():
        for _ in range(5):
            model(images, rois)
    return model.eval()


@pytest.fixture(scope="module")
def exported(model: HierarchicalModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    assert export_onnx(model, path, {"variant": "b0", "canvases": CANVASES}) <= TOLERANCE
    return path


def test_contract(exported: Path) -> None:
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    assert inputs["images"].type == "tensor(uint8)"
    assert inputs["images"].shape[1] == 3
    assert all(isinstance(side, str) for side in (inputs["images"].shape[0], *inputs["images"].shape[2:]))
    assert inputs["rois"].shape[1] == 5
    assert isinstance(inputs["rois"].shape[0], str)
    assert [tensor.name for tensor in session.get_outputs()] == ["masks", "binary_masks"]
    assert json.loads(session.get_modelmeta().custom_metadata_map["canvases"]) == [list(c) for c in CANVASES]


def test_nothing_is_left_that_runtimes_dislike(exported: Path) -> None:
    kinds = {node.op_type for node in onnx.load(exported).graph.node}
    assert "RoiAlign" in kinds
    assert not kinds & {"BatchNormalization", "GridSample", "Loop", "If", "ScatterND"}


def test_every_canvas_agrees_with_pytorch(model: HierarchicalModel, exported: Path) -> None:
    assert parity(model, exported) <= TOLERANCE


def test_folding_changes_nothing(model: HierarchicalModel) -> None:
    folded = fold_batch_norms(model)
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    images, rois = example((1, 3, 96, 128), 2)
    with torch.inference_mode():
        for a, b in zip(model(images, rois), folded(images, rois), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_a_wrong_export_is_refused(model: HierarchicalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "parity", lambda *_: 0.5)
    with pytest.raises(ParityError, match=r"0\.5"):
        export_onnx(model, tmp_path / "model.onnx", {})
    assert not list(tmp_path.iterdir())
