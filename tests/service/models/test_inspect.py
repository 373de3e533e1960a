"""``hiseg models check`` on any file: what it reports of models that fit, that don't fit, and of other files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from hiseg.cli.main import app
from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.inspect import inspect_model, model_name
from tests.service.engines.upstream_files import Generation, UpstreamFile

SMALL = {"canvas": (48, 64), "mask": (16, 12)}
RELEASED = "best_model_b1_640x640_80x60_0.8551_dil1.onnx"


def checked(path: Path, code: int) -> str:
    done = CliRunner().invoke(app, ["models", "check", str(path)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("generation", Generation)
def test_facts_of_a_file_like_upstreams(generation: Generation, tmp_path: Path) -> None:
    path = UpstreamFile(generation, **SMALL).save(tmp_path / RELEASED)
    said = json.loads(CliRunner().invoke(app, ["models", "check", "--json", str(path)]).output)
    assert said["fits"]
    facts = {fact["what"]: (fact["value"], fact["source"]) for fact in said["facts"]}
    assert facts["variant"] == ("b1", "name")
    assert facts["canvases"] == ("48x64", "shape")
    assert facts["mask size"] == ("16x12", "shape")
    assert facts["resize"] == ("stretch", "assumed")
    assert facts["people"][0].startswith(generation.value[0])
    assert [(run["images"], run["people"]) for run in said["runs"]] == [(1, 0), (1, 1), (1, 3), (2, 3)]


def test_the_report_says_them_in_words(tmp_path: Path) -> None:
    said = checked(UpstreamFile(**SMALL).save(tmp_path / RELEASED), 0)
    assert "keeps the tensor contract" in said
    assert "images are stretched to the canvas" in said


def edited(path: Path, edit: Callable[[onnx.ModelProto], None]) -> Path:
    proto = onnx.load(UpstreamFile(**SMALL).save(path))
    edit(proto)
    onnx.save(proto, path)
    return path


def side(proto: onnx.ModelProto, tensor: int, index: int, value: int | str) -> None:
    found = proto.graph.input[tensor].type.tensor_type.shape.dim[index]
    if isinstance(value, int):
        found.dim_value = value
    else:
        found.dim_param = value


def rename_mask_output(proto: onnx.ModelProto) -> None:
    proto.graph.output[0].name = "mask"
    proto.graph.node[-1].output[0] = "mask"


def widen(proto: onnx.ModelProto, crop_scale: str | None) -> None:
    proto.graph.output[0].name = "wide_masks"
    proto.graph.node[-1].output[0] = "wide_masks"
    if crop_scale is not None:
        proto.metadata_props.add(key="mask_extent", value=crop_scale)


def lie_about_masks(proto: onnx.ModelProto) -> None:
    proto.metadata_props.add(key="mask_size", value="[20, 10]")


def lie_about_resize(proto: onnx.ModelProto) -> None:
    proto.metadata_props.add(key="resize", value="crop")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda proto: side(proto, 0, 0, 1), "images are 1 at a time; batches need the first side free"),
        (lambda proto: side(proto, 1, 0, "4"), "rois are 4 at a time; batches need the first side free"),
        (lambda proto: side(proto, 0, 2, "height"), "the canvas is neither in its metadata nor in the shape of images"),
        (
            rename_mask_output,
            "outputs are ['binary_masks', 'mask'], not wide_masks, masks or instance_masks, nor binary_masks of images",
        ),
        (lie_about_resize, "resize is 'crop' in its metadata, not letterbox or stretch"),
        (lambda proto: widen(proto, None), "mask_extent is None in its metadata, not a number of 1 to 2"),
        (lambda proto: widen(proto, "0.5"), "mask_extent is '0.5' in its metadata, not a number of 1 to 2"),
        (lambda proto: widen(proto, "nan"), "mask_extent is 'nan' in its metadata, not a number of 1 to 2"),
        (lie_about_masks, "masks and foreground come in shapes (1, 16, 12) and (1, 48, 64)"),
    ],
)
def test_contract_violations_are_named(edit: Callable[[onnx.ModelProto], None], said: str, tmp_path: Path) -> None:
    path = edited(tmp_path / "any.onnx", edit)
    report = inspect_model(path, threads=1)
    assert not report.fits
    assert any(said in reason for reason in report.refused), report.refused


def test_masks_that_are_larger_than_their_boxes_are_taken(tmp_path: Path) -> None:
    report = inspect_model(edited(tmp_path / "any.onnx", lambda proto: widen(proto, "1.2")), threads=1)
    assert report.fits, report.refused
    assert "1.2 times the box" in str(report.facts)


@pytest.mark.parametrize("value", ["no JSON", "{}", "[1]", '["a", "b"]', "3"])
@pytest.mark.parametrize("key", ["canvases", "mask_size", "gmac"])
def test_metadata_of_any_kind_breaks_nothing(key: str, value: str, tmp_path: Path) -> None:
    """What can't be read is either refused or told by the shapes."""
    path = edited(tmp_path / "any.onnx", lambda proto: helper.set_model_props(proto, {key: value}))
    report = inspect_model(path, threads=1)
    assert report.fits or report.refused[0]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("canvases", "[[1000000, 1000000]]", "1000000 x 1000000 is a canvas; at most"),
        ("canvases", f"[[{'9' * 4000}, 8]]", "is a canvas; at most"),
        ("canvases", json.dumps([[48, 64]] * 1000), "there are 1000 canvases"),
        ("canvases", "[" * 5000, ""),
        ("canvases", "[" * 5000 + "]" * 5000, ""),
        ("canvases", "[[48, 64]]" + " " * 10**6, "canvases has 1000010 characters"),
        ("mask_size", "[100000, 100000]", "100000 x 100000 is the mask size; at most"),
        ("gmac", "[1e308, 1e308]", "not two numbers of 0 to 10000"),
        ("gmac", "[NaN, 1]", "not two numbers of 0 to 10000"),
        ("gmac", "[1e999, 1]", "not two numbers of 0 to 10000"),
        ("gmac", "x" * 50_000, "not two numbers of 0 to 10000"),
        ("resize", "x" * 50_000, "not letterbox or stretch"),
        ("variant", "b0\nb1", "not 1 to 40 letters and digits"),
        ("variant", "b" * 50_000, "not 1 to 40 letters and digits"),
        ("metrics", '{"iou": NaN}', ""),
    ],
)
def test_hostile_metadata_is_refused_in_a_line(key: str, value: str, said: str, tmp_path: Path) -> None:
    """What means nothing is told by the shapes, as if it weren't there; what is too much is refused."""
    path = edited(tmp_path / "any.onnx", lambda proto: helper.set_model_props(proto, {key: value}))
    text = checked(path, 1 if said else 0)
    assert said in text
    assert all(len(line) < 500 for line in text.splitlines())
    if said:
        assert len(text.splitlines()) == 2
        with pytest.raises(ModelError, match=r"any\.onnx"):
            OnnxEngine(path, "any", "1", threads=1)


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    whole = UpstreamFile(**SMALL).save(tmp_path / "whole.onnx").read_bytes()
    for name, content in {"empty": b"", "text": b"not a model", "half": whole[: len(whole) // 2]}.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        assert "can't be served" in checked(path, 1), name
        assert "ONNX Runtime cannot open it" in checked(path, 1), name


def test_what_is_no_file_is_refused_like_a_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.onnx", Path("/dev/zero")):
        assert len(checked(path, 1).splitlines()) == 2
    assert not json.loads(CliRunner().invoke(app, ["models", "check", "--json", "/dev/zero"]).output)["fits"]


def test_a_canary_that_cannot_be_read_keeps_a_model_from_being_served(tmp_path: Path) -> None:
    path = UpstreamFile(**SMALL).save(tmp_path / "model.onnx")
    (tmp_path / "canary.jpg").write_bytes(b"no image")
    assert "the canary image can't be read" in checked(path, 1)


def test_the_name_is_the_folders_in_a_repository() -> None:
    assert model_name(Path("model_repository/hiseg_b0/1/model.onnx")) == "hiseg_b0"
    assert model_name(Path("models/b7_model_opt.onnx")) == "b7_model_opt"


def test_another_kind_of_model_is_refused_for_all_that_is_wrong(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["scores"])],
        "classifier",
        [helper.make_tensor_value_info("images", TensorProto.DOUBLE, [1, 4, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.DOUBLE, [1, 4, 8, 8])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), tmp_path / "m.onnx")
    text = checked(tmp_path / "m.onnx", 1)
    for reason in (
        "outputs are ['scores'], not wide_masks, masks or instance_masks, nor binary_masks of images alone",
        "not uint8 or float32",
        "images are 1 at a time",
        "images have 4 channels",
    ):
        assert reason in text


def test_answers_that_are_not_what_the_file_says_are_found_by_running_it(tmp_path: Path) -> None:
    """Its shapes are right, but its masks aren't numbers."""
    path = UpstreamFile(**SMALL).save(tmp_path / "hiseg_b0.onnx")
    model = onnx.load(path)
    (doubt,) = (tensor for tensor in model.graph.initializer if tensor.name == "doubt")
    doubt.CopyFrom(onnx.numpy_helper.from_array(np.array([np.nan], np.float32), "doubt"))
    onnx.save(model, path)
    assert "aren't finite" in checked(path, 1)
