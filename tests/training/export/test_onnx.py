"""Exports keep the tensor contract and compute what the model computes."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from benchmarks.harness.paths import PUBLISHED
from benchmarks.harness.triton.environment import ENVIRONMENT, need_triton
from hiseg.core.image import Floats
from hiseg.engines.base import logit_margins
from hiseg.models.repository import StoredModel, stored_models
from hiseg_training.config.model import CANVASES, ModelConfig
from hiseg_training.export.forms import Graph
from hiseg_training.export.graphs import graph_module
from hiseg_training.export.onnx import (
    ExportOptions,
    example_inputs,
    export_onnx,
    fold_batch_norms,
    fold_efficientnets,
    fold_sequences,
    parity_inputs,
    read_metadata,
    simplify_graph,
    write_verified,
)
from hiseg_training.export.parity import TOLERANCE, ParityError, worst_difference
from hiseg_training.models.encoder import EfficientNetEncoder
from hiseg_training.models.hierarchical import HierarchicalModel


@pytest.fixture(scope="module")
def model() -> HierarchicalModel:
    """Random weights, but lively ones: statistics are not those of a fresh model."""
    torch.manual_seed(0)
    model = HierarchicalModel(
        ModelConfig(fine_widths=(32, 24, 16, 16), coarse_widths=(24, 16, 16, 8), coarse_boxes=True)
    ).train()
    images, rois = example_inputs((2, 3, 96, 128), 6)
    with torch.no_grad():
        for _ in range(5):
            model(images, rois)
    return model.eval()


SMALL = ((96, 128),)


@pytest.fixture(scope="module")
def files(model: HierarchicalModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Graph, Path]:
    """Each kind of graph; that of masks is compared on all canvases, and the others on a small one."""
    folder = tmp_path_factory.mktemp("export")
    for graph in Graph:
        form = ExportOptions(graph, CANVASES if graph is Graph.MASKS else SMALL)
        known = {"variant": "b0", "canvases": CANVASES}
        assert export_onnx(model, folder / f"{graph}.onnx", known, form) <= TOLERANCE
    return {graph: folder / f"{graph}.onnx" for graph in Graph}


@pytest.fixture(scope="module")
def exported(files: dict[Graph, Path]) -> Path:
    return files[Graph.MASKS]


def test_each_graph_takes_and_gives_what_it_is_for(files: dict[Graph, Path]) -> None:
    tensors = {}
    for graph, path in files.items():
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        tensors[graph] = [[tensor.name for tensor in each] for each in (session.get_inputs(), session.get_outputs())]
    assert tensors == {
        Graph.MASKS: [["images", "rois"], ["masks", "wide_masks"]],
        Graph.FOREGROUND: [["images"], ["binary_masks"]],
        Graph.BOTH: [["images", "rois"], ["masks", "binary_masks", "wide_masks"]],
    }
    of_masks, of_foreground, whole = (files[graph].stat().st_size for graph in Graph)
    assert of_masks + of_foreground == pytest.approx(whole, rel=0.02)


def test_only_what_the_boxes_need_of_a_canvas_is_converted(exported: Path, tmp_path: Path) -> None:
    graph = onnx.load(exported)
    (cut,) = (node for node in graph.graph.node if node.op_type == "Slice" and node.input[0] == "images")
    assert {node.op_type for node in graph.graph.node if "images" in node.input} == {"Shape", "Slice"}
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(cut.output[0]))
    onnx.save(graph, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    images = example_inputs((2, 3, 96, 128), 1)[0].numpy()
    rois = np.array([[0, 0.25, 0.25, 0.5, 0.75], [1, 0.5, 0.5, 0.75, 1.0]], dtype=np.float32)
    (part,) = session.run([cut.output[0]], {"images": images, "rois": rois})
    # Boxes enlarged by a fifth, and a pixel for bilinear samples; nothing beyond the lower edge.
    assert np.array_equal(part, images[:, :, 18:96, 27:101])


def test_contract(exported: Path) -> None:
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    assert inputs["images"].type == "tensor(uint8)"
    assert inputs["images"].shape[1] == 3
    assert all(isinstance(side, str) for side in (inputs["images"].shape[0], *inputs["images"].shape[2:]))
    assert inputs["rois"].shape[1] == 5
    assert isinstance(inputs["rois"].shape[0], str)
    assert json.loads(session.get_modelmeta().custom_metadata_map["canvases"]) == [list(c) for c in CANVASES]


def test_the_graph_has_no_unsupported_operators(exported: Path) -> None:
    kinds = {node.op_type for node in onnx.load(exported).graph.node}
    assert "RoiAlign" in kinds
    assert not kinds & {"BatchNormalization", "GridSample", "Loop", "If", "ScatterND"}


def test_other_canvases_agree_with_pytorch_too(model: HierarchicalModel, exported: Path) -> None:
    """Those that it declares were compared when it was exported."""
    form = ExportOptions(canvases=(*SMALL, (224, 160)))
    assert worst_difference(graph_module(model, form.graph), exported, parity_inputs(form)) <= TOLERANCE


def test_folding_changes_nothing(model: HierarchicalModel) -> None:
    folded = fold_batch_norms(model)
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    images, rois = example_inputs((1, 3, 96, 128), 2)
    with torch.inference_mode():
        for a, b in zip(model(images, rois), folded(images, rois), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_efficientnets_are_folded_as_well() -> None:
    torch.manual_seed(0)
    encoder = EfficientNetEncoder("lite", "b0", 3, pretrained=True).eval()
    folded = copy.deepcopy(encoder)
    fold_efficientnets(folded)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    images = torch.randn(2, 3, 96, 72)
    with torch.inference_mode():
        for a, b in zip(folded(images), encoder(images), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_a_wrong_export_is_refused(model: HierarchicalModel, exported: Path, tmp_path: Path) -> None:
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.fine.head.bias.add_(0.01)  # type: ignore[union-attr]
    module, runs = graph_module(other, Graph.MASKS), parity_inputs(ExportOptions(canvases=SMALL))
    with pytest.raises(ParityError, match=r"differ by 0\.01"):
        write_verified(onnx.load(exported), tmp_path / "model.onnx", module, {}, runs)
    assert not list(tmp_path.iterdir())


def test_the_onnx_runtime_of_triton_runs_it_without_people(exported: Path) -> None:
    """Release 24.10 has ONNX Runtime 1.19, which failed at it until the model was written another way."""
    need_triton()
    code = (
        "import sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
        "given = {'images': numpy.zeros((1, 3, 96, 128), 'u1'), 'rois': numpy.zeros((0, 5), 'f4')}\n"
        "print(onnxruntime.__version__, *(made.shape for made in session.run(None, given)))"
    )
    python = ENVIRONMENT / "bin" / "python"
    done = subprocess.run([python, "-c", code, exported], capture_output=True, text=True, check=False)
    assert done.stdout == "1.19.2 (0, 3, 128, 96) (0, 3, 128, 96)\n", done.stderr


WITH_MASKS = [model for model in stored_models(PUBLISHED) if "mask_size" in read_metadata(model.path)]


@pytest.mark.parametrize("published", WITH_MASKS, ids=lambda model: model.name)
def test_published_files_tell_others_from_duplicates(published: StoredModel) -> None:
    images, rois = example_inputs((1, 3, 384, 640), 4)
    session = ort.InferenceSession(published.path, providers=["CPUExecutionProvider"])

    def margins(*more: torch.Tensor) -> Floats:
        """Of the first people, where there are ``more``."""
        (masks,) = session.run(["wide_masks"], {"images": images.numpy(), "rois": torch.cat([rois, *more]).numpy()})
        return logit_margins(masks[: len(rois)])

    alone = margins()
    assert abs(margins(rois) - alone).max() < 1e-3
    assert abs(margins(rois + torch.tensor([0.0, 0.1, 0.1, 0.1, 0.1])) - alone).max() > 0.1


def test_transposed_convolutions_are_folded_as_well() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(
        nn.ConvTranspose2d(4, 6, 2, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 3, 3), nn.BatchNorm2d(3)
    )
    seen = torch.randn(2, 4, 8, 8)
    for _ in range(3):
        block.train()(seen)
    folded = copy.deepcopy(block.eval())
    fold_sequences(folded)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded)
    torch.testing.assert_close(folded(seen), block(seen), atol=1e-5, rtol=1e-5)


def test_what_simplifying_leaves_out_changes_nothing(exported: Path) -> None:
    """Once simplified it stays as it is, and says the same about itself."""
    again = simplify_graph(onnx.load(exported))
    assert len(again.graph.node) == len(onnx.load(exported).graph.node)
    assert {entry.key for entry in again.metadata_props} == {"variant", "canvases"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dtype": "float16"}, "dtype: 'float16' is not one of uint8, float32"),
        ({"opset": 11}, "opset: 11 is not one of 18, 19, 20, 21"),
        ({"dilation_pixels": -1}, "dilation_pixels: -1 is less than 0"),
        ({"graph": Graph.FOREGROUND, "dilation_pixels": 1}, "nothing to dilate in the graph foreground"),
        ({"canvases": ((100, 640),)}, "image_size: 100,640 is not made of multiples of 32"),
    ],
)
def test_an_unknown_form_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ExportOptions(**wrong)
