"""The stand-in for NVIDIA's ONNX backend accepts and refuses the same models, and gives the same results."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from benchmarks.harness.triton.server import Triton, triton
from tests.benchmarks.harness.triton.infer import Refusal, ask
from tests.benchmarks.harness.triton.repositories import doubling

BACKEND = 'backend: "onnxruntime"\nmax_batch_size: 0\n'
INPUT = 'input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]\n'
OUTPUT = 'output [ { name: "twice" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]\n'
BOTH = OUTPUT + 'output [ { name: "most" data_type: TYPE_INT64 dims: [ -1, 1 ] } ]\n'
TAKEN = {
    "whole": BACKEND + INPUT + BOTH,
    "platform": 'platform: "onnxruntime_onnx"\nmax_batch_size: 0\n' + INPUT + BOTH,
    "one_output": BACKEND + INPUT + OUTPUT,
    "batched": 'backend: "onnxruntime"\nmax_batch_size: 8\n' + INPUT.replace("-1, ", "") + OUTPUT.replace("-1, ", ""),
    "no_input": BACKEND + BOTH,
    "nothing": BACKEND,
}
REFUSED = {
    "other_name": BACKEND + INPUT.replace('"x"', '"y"') + BOTH,
    "other_type": BACKEND + INPUT.replace("FP32", "FP64") + BOTH,
    "other_dims": BACKEND + INPUT.replace("-1, 4", "-1, 5") + BOTH,
    "other_rank": BACKEND + INPUT.replace("-1, 4", "4") + BOTH,
    "free_where_fixed": BACKEND + INPUT.replace("-1, 4", "-1, -1") + BOTH,
    "other_output": BACKEND + INPUT + OUTPUT.replace("twice", "thrice"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """All of them at once; it completes configurations and lives with models that don't load."""
    repository = tmp_path_factory.mktemp("repository")
    for name, config in (TAKEN | REFUSED).items():
        doubling(repository / name, config + "instance_group [ { count: 1 kind: KIND_CPU } ]\n")
    arguments = ("--exit-on-error=false", "--strict-readiness=false")
    with triton(repository, complete=True, arguments=arguments) as running:
        yield running


@pytest.mark.parametrize("model", TAKEN)
def test_valid_models_are_served(server: Triton, model: str) -> None:
    x = np.array([[1, 2, 4, 3], [9, 0, 0, 0]], dtype=np.float32)
    found = ask(server.url, model, {"x": x}, ("twice",))
    assert list(found) == ["twice"], "only what was asked for"
    np.testing.assert_array_equal(found["twice"], 2 * x)


@pytest.mark.parametrize("model", REFUSED)
def test_invalid_models_are_refused(server: Triton, model: str) -> None:
    index = {entry["name"]: entry for entry in httpx.post(f"{server.url}/v2/repository/index").json()}
    assert index[model]["state"] == "UNAVAILABLE"
    assert "unable to load model" in index[model]["reason"]


def test_outputs_are_those_asked_for_in_any_order(server: Triton) -> None:
    found = ask(server.url, "whole", {"x": np.eye(4, dtype=np.float32)}, ("most", "twice"))
    np.testing.assert_array_equal(found["most"][:, 0], range(4))
    np.testing.assert_array_equal(found["twice"], 2 * np.eye(4))


def test_what_a_request_does_wrong_is_its_own_error(server: Triton) -> None:
    with pytest.raises(Refusal, match="x"):
        ask(server.url, "whole", {"x": np.zeros((2, 5), dtype=np.float32)}, ("twice",))
    assert ask(server.url, "whole", {"x": np.zeros((0, 4), dtype=np.float32)}, ("twice",))["twice"].shape == (0, 4)
