"""NVIDIA's own server loads the published repository unchanged."""

from __future__ import annotations

import httpx
import numpy as np
import onnx
import pytest

from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.triton.server import Triton
from hiseg.engines.base import logit_margins
from hiseg.engines.contract import WIDE_OUTPUT
from hiseg.engines.onnx import OnnxEngine
from tests.benchmarks.harness.triton.infer import ask
from tests.service.engines.test_onnx import batch

MODELS = sorted(folder.name for folder in REPOSITORY.iterdir() if folder.is_dir())


@pytest.mark.parametrize("model", MODELS)
def test_it_loads_unchanged_and_was_warmed_up_on_each_canvas(triton_server: Triton, model: str) -> None:
    config = httpx.get(f"{triton_server.url}/v2/models/{model}/config").json()
    assert config["max_batch_size"] == 0
    assert config["instance_group"][0]["kind"] == "KIND_CPU"
    newest = max(REPOSITORY.glob(f"{model}/*/model.onnx"), key=lambda path: int(path.parent.name))
    metadata = {entry.key: entry.value for entry in onnx.load(newest).metadata_props}
    assert {key: value["string_value"] for key, value in config["parameters"].items()} == metadata
    statistics = httpx.get(f"{triton_server.url}/v2/models/{model}/stats").json()["model_stats"]
    assert statistics[-1]["inference_stats"]["success"]["count"] >= len(config["model_warmup"]) > 0


@pytest.mark.parametrize(("images", "people"), [(1, 1), (1, 3), (2, 5)])
def test_it_gives_the_masks_of_the_embedded_engine(triton_server: Triton, images: int, people: int) -> None:
    """Not bit by bit: the server's ONNX Runtime is another release."""
    path = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"
    engine = OnnxEngine(path, "hiseg_b0", "1")
    work = batch((480, 640), images, people)
    here = engine.run(work)
    engine.close()
    there = ask(triton_server.url, "hiseg_b0", {"images": work.images, "rois": work.rois}, (WIDE_OUTPUT,))
    np.testing.assert_array_equal(logit_margins(there[WIDE_OUTPUT]) > 0, here.logit_margins > 0)
    np.testing.assert_allclose(logit_margins(there[WIDE_OUTPUT]), here.logit_margins, atol=1e-3)
