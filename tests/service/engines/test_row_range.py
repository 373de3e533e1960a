"""Masks that are computed some at a time are those of one run, and a run's memory doesn't grow with the batch."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks.harness.paths import PUBLISHED
from benchmarks.harness.repository import B0
from hiseg.core.image import Floats
from hiseg.core.model_choice import PUBLISHED_FOREGROUND
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import OnnxEngine, ort
from hiseg.engines.row_range import END_ROW, FIRST_ROW, with_row_range
from hiseg.models.repository import stored_models
from tests.service.engines.test_onnx import upstream_like
from tests.service.engines.upstream_files import UpstreamFile

MODELS = [model.path for model in stored_models(PUBLISHED) if model.name != PUBLISHED_FOREGROUND]
CANVAS = (384, 640)


def crowd(images: int, people: int, canvas: tuple[int, int] = CANVAS, requested: Outputs = Outputs.MASKS) -> Batch:
    """People in random places of random images, many of them over each other."""
    rng = np.random.default_rng(people)
    corners = np.sort(rng.uniform(0, 1, (people, 2, 2)), axis=1).reshape(people, 4)
    rois = np.concatenate([rng.integers(0, images, (people, 1)), corners], axis=1).astype(np.float32)
    return Batch(rng.integers(0, 256, (images, 3, *canvas), dtype=np.uint8), rois, BatchMeta(requested))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parts[-3])
def test_a_crowd_in_pieces_gets_the_masks_of_one_run(path: Path) -> None:
    engine, plain = OnnxEngine(path, "any", "1"), ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert (engine.piece_limits.rois or 999) <= 16
    for work in (crowd(1, 40), crowd(9, 30)):
        prediction = engine.run(work)
        (masks,) = plain.run(["wide_masks"], {"images": work.images, "rois": work.rois})
        margins: Floats = masks[:, 1] - np.maximum(masks[:, 0], masks[:, 2])
        np.testing.assert_allclose(prediction.logit_margins, margins, atol=2e-3)
    engine.close()


def test_each_output_alone_comes_in_pieces_too(tmp_path: Path) -> None:
    path = UpstreamFile(canvas=(96, 128)).save(tmp_path / "model.onnx")
    engine, work = OnnxEngine(path, "both", "1"), crowd(9, 40, (96, 128), Outputs.BOTH)
    assert engine.piece_limits.rois is not None
    whole = engine.run(work)
    masks = engine.run(Batch(work.images, work.rois, BatchMeta(requested=Outputs.MASKS)))
    np.testing.assert_array_equal(masks.logit_margins, whole.logit_margins)
    assert masks.foreground.shape == (9, 0, 0)
    foreground = engine.run(Batch(work.images, work.rois, BatchMeta(requested=Outputs.FOREGROUND)))
    np.testing.assert_allclose(foreground.foreground, whole.foreground, atol=1e-6)
    assert foreground.logit_margins.shape == (0, 128, 96)
    engine.close()


MEMORY = """
import asyncio, sys
from pathlib import Path
from hiseg.engines.onnx import OnnxEngine
from tests.service.engines.test_row_range import crowd

def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(field))

async def main():
    engine = OnnxEngine(Path(sys.argv[1]), "hiseg_b0", "1", 2)
    for people in (8, 16):
        await engine.infer(crowd(1, people))
    idle = resident("VmRSS")
    await asyncio.gather(*(engine.infer(crowd(1, 100)) for _ in range(3)))
    print(resident("VmHWM") - idle)

asyncio.run(main())
"""


def test_crowds_take_no_more_memory_than_small_batches() -> None:
    """In a process of its own: the highest memory that others have taken there must not hide what this takes."""
    done = subprocess.run([sys.executable, "-c", MEMORY, B0], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150, "two batches of 100 boxes at once took 1086 MiB in one piece each"


def upstream_rows(path: Path, *, mixes_rows: bool) -> Path:
    """A small model whose masks are convolved crops; with ``mixes_rows`` each depends on all crops."""
    upstream_like(path, "masks", 3)
    model = onnx.load(path)
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [3, 3, 1, 1], [1.0, 0, 0, 0, 2, 0, 0, 0, 3])
    model.graph.initializer.append(weights)
    (expand,) = [node for node in model.graph.node if node.op_type == "Expand"]
    expand.output[0] = "crops"
    if mixes_rows:
        model.graph.node.append(helper.make_node("Conv", ["crops", "weights"], ["convolved"]))
        model.graph.node.append(helper.make_node("GlobalAveragePool", ["convolved"], ["means"]))
        model.graph.node.append(helper.make_node("ReduceSum", ["means", "first"], ["sum"], keepdims=1))
        model.graph.node.append(helper.make_node("Add", ["convolved", "sum"], ["masks"]))
    else:
        model.graph.node.append(helper.make_node("Conv", ["crops", "weights"], ["masks"]))
    onnx.save(model, path)
    return path


def test_what_all_boxes_have_in_common_is_not_cut(tmp_path: Path) -> None:
    """Crops that are moved by the smallest corner of all boxes, as where a canvas is cut down to what they need."""
    path = upstream_rows(tmp_path / "model.onnx", mixes_rows=False)
    model = onnx.load(path)
    (convolution,) = [node for node in model.graph.node if node.op_type == "Conv"]
    convolution.input[0] = "moved"
    axes = helper.make_tensor("both", TensorProto.INT64, [2], [0, 1])
    model.graph.initializer.append(axes)
    common = helper.make_node("ReduceMin", ["rois", "both"], ["smallest"], keepdims=0)
    moved = helper.make_node("Sub", ["crops", "smallest"], ["moved"])
    place = list(model.graph.node).index(convolution)
    model.graph.node.insert(place, common)
    model.graph.node.insert(place + 1, moved)
    onnx.save(model, path)
    engine = OnnxEngine(path, "people_b1", "3")
    assert engine.piece_limits.rois is not None
    engine.close()


@pytest.mark.parametrize("mixes_rows", [False, True])
def test_only_rows_that_nothing_mixes_are_computed_apart(tmp_path: Path, mixes_rows: bool) -> None:
    path = upstream_rows(tmp_path / "model.onnx", mixes_rows=mixes_rows)
    assert with_row_range(path.read_bytes()) is not None, "the edit is a proposal, and looks at no numbers"
    engine = OnnxEngine(path, "people_b1", "3")
    assert (engine.piece_limits.rois is None) is mixes_rows
    rng = np.random.default_rng(0)
    rois = rng.integers(0, 2, (9, 5)).astype(np.float32)
    prediction = engine.run(Batch(rng.integers(0, 256, (2, 3, 48, 64), dtype=np.uint8), rois))
    assert prediction.logit_margins.shape == (9, 16, 12)
    engine.close()


def test_the_edit_adds_the_row_range_and_takes_the_outputs_away_that_nobody_asks_for() -> None:
    edited = with_row_range(B0.read_bytes())
    assert edited is not None
    before = [tensor.name for tensor in onnx.load(B0).graph.output]
    graph = onnx.load_from_string(edited).graph
    assert [tensor.name for tensor in graph.input] == ["images", "rois", FIRST_ROW, END_ROW]
    assert [tensor.name for tensor in graph.output] == [name for name in before if name != "masks"]


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(1000)])
def test_what_is_no_model_is_left_as_it_is(content: bytes) -> None:
    assert with_row_range(content) is None


def test_a_device_is_not_read_for_ever(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to("/dev/zero")
    with pytest.raises(ModelError):
        OnnxEngine(tmp_path / "model.onnx", "any", "1")


def test_cancelling_ends_a_batch_between_its_pieces_too() -> None:
    engine = OnnxEngine(B0, "hiseg_b0", "1")

    async def scenario() -> None:
        run = asyncio.create_task(engine.infer(crowd(1, 100)))
        await asyncio.sleep(0.05)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(scenario())
    engine.close()
