"""The embedded engine, on the published model and on small files made for the tests."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from benchmarks.harness.repository import REPOSITORY
from hiseg.core.canvas import Resize
from hiseg.core.result import ModelRef
from hiseg.engines.base import UNKNOWN_COST, Batch, BatchMeta, Outputs, logit_margins
from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import OnnxEngine
from tests.service.engines.upstream_files import UpstreamFile
from tests.test_architecture import IMPORTS

B0 = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"
SMALL = (96, 128)
CANVASES = ((640, 640), (480, 640), (640, 480), (384, 640), (640, 384))


def batch(
    canvas: tuple[int, int], images: int, people: int, seed: int = 0, requested: Outputs = Outputs.MASKS
) -> Batch:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 1, (people, 2, 2)), axis=1).reshape(people, 4)
    rois = np.concatenate([rng.integers(0, images, (people, 1)), corners], axis=1).astype(np.float32)
    return Batch(rng.integers(0, 256, (images, 3, *canvas), dtype=np.uint8), rois, BatchMeta(requested))


@pytest.fixture(scope="module")
def engine() -> OnnxEngine:
    return OnnxEngine(B0, "hiseg_b0", "1")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    """A small graph that gives both outputs."""
    path = UpstreamFile(canvas=SMALL, mask=(32, 24)).save(tmp_path_factory.mktemp("both") / "model.onnx")
    return OnnxEngine(path, "both", "1")


def test_the_model_describes_itself(engine: OnnxEngine) -> None:
    info = engine.info
    assert (info.ref.name, info.ref.version, info.ref.variant) == ("hiseg_b0", "1", "b0")
    assert info.canvases == CANVASES
    assert (info.resize, info.mask_size, info.takes_uint8) == (Resize.LETTERBOX, (128, 96), True)
    assert {"licence", "training_data", "metrics", "roi_size", "class_names"} <= set(info.card)


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize(("images", "people"), [(1, 0), (1, 3), (2, 5)])
def test_every_canvas_with_and_without_people(
    engine: OnnxEngine, canvas: tuple[int, int], images: int, people: int
) -> None:
    prediction = engine.run(batch(canvas, images, people))
    assert prediction.logit_margins.shape == (people, 128, 96)
    assert np.isfinite(prediction.logit_margins).all()


def test_a_batch_gives_each_image_what_it_gets_alone(engine: OnnxEngine, both: OnnxEngine) -> None:
    for one, work in ((engine, batch((480, 640), 2, 6)), (both, batch(SMALL, 2, 6, requested=Outputs.BOTH))):
        together = one.run(work)
        for index in range(2):
            own = work.rois[:, 0] == index
            rois = work.rois[own] * np.array([0, 1, 1, 1, 1], dtype=np.float32)
            alone = one.run(Batch(work.images[index : index + 1], rois, work.meta))
            np.testing.assert_allclose(together.logit_margins[own], alone.logit_margins, atol=1e-3)
            if Outputs.FOREGROUND in work.meta.requested:
                np.testing.assert_allclose(together.foreground[index], alone.foreground[0], atol=1e-4)


def test_padding_for_warm_roi_counts_changes_no_mask(engine: OnnxEngine) -> None:
    """Rows without area show nobody, and are nobody's "other people" either."""
    alone = batch((480, 640), 2, 5)
    padded = Batch(alone.images, np.concatenate([alone.rois, np.zeros((3, 5), dtype=np.float32)]), alone.meta)
    with_padding, without = engine.run(padded), engine.run(alone)
    np.testing.assert_allclose(with_padding.logit_margins[:5], without.logit_margins, atol=1e-4)


def test_on_the_cpu_every_roi_count_is_warm(engine: OnnxEngine) -> None:
    assert engine.roi_counts == ()


def test_on_the_cpu_batches_share_the_threads_and_get_what_they_get_alone() -> None:
    engine = OnnxEngine(B0, "hiseg_b0", "1", threads=3)
    assert (engine.slots, engine.max_in_flight) == (1, 2)
    works = [batch((384, 640), 1, people, seed=people) for people in range(3)]

    async def scenario() -> None:
        for work, shared in zip(works, await asyncio.gather(*map(engine.infer, works)), strict=True):
            alone = engine.run(work)
            np.testing.assert_allclose(shared.logit_margins, alone.logit_margins, atol=1e-4)

    asyncio.run(scenario())
    engine.close()


def test_infer_is_run_off_the_loop(engine: OnnxEngine) -> None:
    work = batch((384, 640), 1, 2)
    prediction = asyncio.run(engine.infer(work))
    np.testing.assert_array_equal(prediction.logit_margins, engine.run(work).logit_margins)


def test_only_what_is_wanted_comes_back(both: OnnxEngine) -> None:
    work = batch(SMALL, 2, 3, requested=Outputs.BOTH)
    whole = both.run(work)
    masks = both.run(Batch(work.images, work.rois, BatchMeta(requested=Outputs.MASKS)))
    np.testing.assert_array_equal(masks.logit_margins, whole.logit_margins)
    assert masks.foreground.shape == (2, 0, 0)
    foreground = both.run(Batch(work.images, work.rois, BatchMeta(requested=Outputs.FOREGROUND)))
    np.testing.assert_array_equal(foreground.foreground, whole.foreground)
    assert foreground.logit_margins.shape == (0, 32, 24)


def test_a_prediction_says_which_model_made_it(engine: OnnxEngine) -> None:
    made = engine.run(batch((384, 640), 1, 1))
    assert made.model == ModelRef("hiseg_b0", "1", "b0", "onnx", engine.info.card["precision"])


def test_a_cancelled_run_is_terminated(engine: OnnxEngine) -> None:
    reported: list[object] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        large = asyncio.create_task(engine.infer(batch((640, 640), 16, 128)))
        await asyncio.sleep(0.1)
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large
        small = batch((384, 640), 1, 1)
        np.testing.assert_array_equal((await engine.infer(small)).logit_margins, engine.run(small).logit_margins)
        gc.collect()  # asyncio reports an error that was never looked at when its future goes

    asyncio.run(scenario())
    assert reported == []


def test_agrees_with_plain_onnx_runtime(engine: OnnxEngine) -> None:
    work = batch((640, 480), 1, 4)
    session = ort.InferenceSession(B0, providers=["CPUExecutionProvider"])
    (masks,) = session.run(["wide_masks"], {"images": work.images, "rois": work.rois})
    np.testing.assert_allclose(engine.run(work).logit_margins, logit_margins(masks), atol=1e-4)


def upstream_like(path: Path, mask_output: str, channels: int, canvas: tuple[int | str, int | str] = (48, 64)) -> Path:
    """A file with the inputs and outputs of upstream's releases (no metadata, float images, static canvas).

    It stands for those releases, which can't be had here; its masks are constant.
    """
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch_size", 3, *canvas])
    rois = helper.make_tensor_value_info("rois", TensorProto.FLOAT, ["num_rois", 5])
    masks = helper.make_tensor_value_info(mask_output, TensorProto.FLOAT, ["num_rois", channels, "16", "12"])
    binary = helper.make_tensor_value_info("binary_masks", TensorProto.FLOAT, ["batch_size", 1, *canvas])
    constants = [
        helper.make_tensor("shape", TensorProto.INT64, [4], [1, channels, 16, 12]),
        helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        helper.make_tensor("first", TensorProto.INT64, [1], [0]),
        helper.make_tensor("second", TensorProto.INT64, [1], [1]),
        helper.make_tensor("more", TensorProto.INT64, [2], [2, 3]),
    ]
    nodes = [
        helper.make_node("Slice", ["rois", "first", "second", "axes"], ["index"]),
        helper.make_node("Unsqueeze", ["index", "more"], ["seed"]),
        helper.make_node("Expand", ["seed", "shape"], [mask_output]),
        helper.make_node("ReduceMax", ["images", "axes"], ["binary_masks"], keepdims=1),
    ]
    graph = helper.make_graph(nodes, "seed", [images, rois], [masks, binary], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("mask_output", "channels"), [("masks", 3), ("instance_masks", 1)])
def test_files_of_both_upstream_generations_are_accepted(tmp_path: Path, mask_output: str, channels: int) -> None:
    engine = OnnxEngine(upstream_like(tmp_path / "model.onnx", mask_output, channels), "people_b1", "3")
    info = engine.info
    assert info.canvases == ((48, 64),)
    assert (info.resize, info.mask_size, info.takes_uint8) == (Resize.STRETCH, (16, 12), False)
    assert info.ref.variant == "b1"
    assert info.cost_prior == UNKNOWN_COST
    prediction = engine.run(batch((48, 64), 2, 4, requested=Outputs.BOTH))
    assert prediction.logit_margins.shape == (4, 16, 12)
    assert 0.9 < prediction.foreground.max() <= 1, "images are sent as 0..1"
    engine.close()


def test_the_gmac_in_the_metadata_give_the_cost_prior(tmp_path: Path) -> None:
    path = upstream_like(tmp_path / "model.onnx", "masks", 3)
    proto = onnx.load(path)
    helper.set_model_props(proto, {"gmac": "[2.0, 0.5]"})
    onnx.save(proto, path)
    engine = OnnxEngine(path, "people_b0", "1")
    assert engine.info.cost_prior.image == pytest.approx(4 * engine.info.cost_prior.roi)
    engine.close()


def test_other_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot open"):
        OnnxEngine(broken, "a", "1")
    with pytest.raises(ModelError, match="outputs are"):
        OnnxEngine(upstream_like(tmp_path / "other.onnx", "heat", 1), "a", "1")
    with pytest.raises(ModelError, match="canvas"):
        OnnxEngine(upstream_like(tmp_path / "dynamic.onnx", "masks", 3, ("h", "w")), "a", "1")


LOAD = """
import sys
from pathlib import Path
from hiseg.engines.onnx import OnnxEngine
OnnxEngine(Path(sys.argv[1]), "hiseg_b0", "1")
"""


def test_a_loaded_model_leaves_no_trace_in_the_home_folder(tmp_path: Path) -> None:
    """What it would send it first keeps in ``~/.cache``; but not where CI is set, which must not be why."""
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    variables |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, B0],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_no_other_module_of_the_service_imports_onnxruntime() -> None:
    found = [name for name, names in IMPORTS.items() if "onnxruntime" in names]
    assert found == ["hiseg.engines.onnx"]
