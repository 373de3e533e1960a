"""What an ONNX file says of itself is found without opening it, whatever the file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from benchmarks.harness.paths import PUBLISHED
from benchmarks.harness.repository import REPOSITORY
from hiseg.engines.onnx import OnnxEngine
from hiseg.engines.onnx_file import skim_signature, weights_of
from hiseg.models.repository import stored_models


def test_a_file_says_the_same_skimmed_and_opened() -> None:
    path = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"
    engine = OnnxEngine(path, "hiseg_b0", "1", threads=1)
    skimmed = skim_signature(path)
    assert engine.info.card["variant"] == skimmed.metadata["variant"]
    assert skimmed.inputs["rois"][1:] == [5]
    assert skimmed.inputs["images"][1] == 3
    assert skimmed.outputs["masks"][1:] == [3, *engine.info.mask_size]
    assert skimmed.types["images"] == "uint8"
    engine.close()


def test_weights_of_published_models_are_stored_as_they_say() -> None:
    for model in stored_models(PUBLISHED):
        signature = skim_signature(model.path)
        assert signature.weights == signature.metadata["precision"] == signature.precision


@pytest.mark.parametrize(
    ("dtype", "precision"), [("float32", "fp32"), ("float16", "fp16"), ("int8", "int8"), ("int64", "")]
)
def test_weights_are_in_what_most_bytes_of_them_are_in(tmp_path: Path, dtype: str, precision: str) -> None:
    weights = numpy_helper.from_array(np.zeros(1000, dtype), "weights")
    indices = numpy_helper.from_array(np.zeros(5000, "int64"), "indices")
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["B", 3, 8, 8])
    old = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [1000])  # as files of IR version 3 list it
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["y"])], "g", [images, old], [], [weights])
    graph.initializer.append(indices)
    onnx.save(helper.make_model(graph), tmp_path / "model.onnx")
    signature = skim_signature(tmp_path / "model.onnx")
    assert signature.precision == precision
    assert signature.inputs == {"images": ["B", 3, 8, 8]}


@given(data=st.binary(max_size=200))
def test_any_file_is_skimmed_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "model.onnx"
    path.write_bytes(data)
    try:
        skim_signature(path)
    except ValueError:
        assert weights_of(path) == ""


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = (REPOSITORY / "hiseg_b0" / "1" / "model.onnx").read_bytes()
    for length in (len(whole) // 2, len(whole) - 1):
        (tmp_path / "model.onnx").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut off"):
            skim_signature(tmp_path / "model.onnx")
