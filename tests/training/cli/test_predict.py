"""The command, on the published model and a file like upstream's newer exports."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.repository import REPOSITORY
from hiseg_training.cli.main import app
from tests.training.drawing import HEIGHT, WIDTH, write_coco

B0 = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"


@pytest.fixture
def annotations(drawn: Path) -> Path:
    return drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"


def ask(*words: object) -> str:
    done = CliRunner().invoke(app, ["predict", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def test_people_masks_and_a_timing_table(annotations: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    said = ask(
        *("--onnx", B0, "--annotations", annotations, "--num_images", 3, "--batch_size", 2, "--save_masks"),
        *("--output_dir", folder, "--images_dir", annotations.parents[1] / "images" / "val2017", "--provider", "cpu"),
        *("--alpha", 0.7, "--score_threshold", 0.5),
    )
    assert re.search(r"\| model \| \d+\.\d \| \d+\.\d \| \d+\.\d \|", said)
    assert "3 images, 6 people, 2 images a batch" in said
    stems = [f"{number:012d}" for number in (1, 2, 3)]
    assert sorted(p.name for p in folder.glob("*.png")) == [f"{stem}_segmented.png" for stem in stems]
    masks = sorted(p.name for p in (folder / f"{stems[0]}_segmented_masks").iterdir())
    assert masks == [f"instance_{k}_{kind}.png" for k in (0, 1) for kind in ("mask", "probs")]
    mask = cv2.imread(str(folder / f"{stems[0]}_segmented_masks" / masks[0]), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (HEIGHT, WIDTH)
    assert set(np.unique(mask)) == {0, 255}


def test_binary_mode(annotations: Path, tmp_path: Path) -> None:
    ask("--onnx", B0, "--annotations", annotations, "--num-images", 1, "--binary_mode", "--output_dir", tmp_path)
    assert [p.name for p in tmp_path.glob("*")] == ["000000000001_binary.png"]


def test_a_single_image_needs_no_annotations(tmp_path: Path) -> None:
    ask("--onnx", B0, "--image", SAMPLE, "--boxes", "22,15,365,512", "--output-dir", tmp_path)
    assert cv2.imread(str(tmp_path / "people_segmented.png")).shape == cv2.imread(str(SAMPLE)).shape


def test_a_pattern_means_the_newest_model(tmp_path: Path) -> None:
    pattern = B0.parents[1] / "*" / "model.onnx"
    ask("--onnx", pattern, "--image", SAMPLE, "--boxes", "22,15,365,512", "--output-dir", tmp_path)
    assert (tmp_path / "people_segmented.png").is_file()


def test_a_model_that_is_not_there_is_named() -> None:
    done = CliRunner().invoke(app, ["predict", "--onnx", "nowhere/*.onnx", "--image", str(SAMPLE)])
    assert (done.exit_code, "onnx: no file matches nowhere/*.onnx" in done.output) == (2, True)


def test_upstreams_newer_files(annotations: Path, tmp_path: Path) -> None:
    """0/1 ``instance_masks``, float images of one size that is in their shape, no metadata."""
    people = helper.make_tensor("full", TensorProto.FLOAT, [1, 1, 128, 96], np.ones(128 * 96, np.float32))
    nodes = [
        helper.make_node("Gather", ["rois", "zero"], ["column"], axis=1),
        helper.make_node("Reshape", ["column", "four"], ["each"]),
        helper.make_node("Mul", ["each", "nothing"], ["none"]),
        helper.make_node("Add", ["none", "full"], ["instance_masks"]),
        helper.make_node("ReduceMean", ["images", "channels"], ["binary_masks"], keepdims=1),
    ]
    constants = [
        people,
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("four", TensorProto.INT64, [4], [-1, 1, 1, 1]),
        helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("channels", TensorProto.INT64, [1], [1]),
    ]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch_size", 3, 64, 64]),
        helper.make_tensor_value_info("rois", TensorProto.FLOAT, ["num_rois", 5]),
    ]
    outputs = [
        helper.make_tensor_value_info("instance_masks", TensorProto.FLOAT, ["num_rois", 1, "128", "96"]),
        helper.make_tensor_value_info("binary_masks", TensorProto.FLOAT, ["batch_size", 1, "64", "64"]),
    ]
    graph = helper.make_graph(nodes, "upstream", inputs, outputs, constants)
    path = tmp_path / "upstream_b0.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    ask("--onnx", path, "--annotations", annotations, "--num-images", 1, "--save-masks", "--output-dir", tmp_path)
    mask = cv2.imread(str(tmp_path / "000000000001_segmented_masks" / "instance_0_mask.png"), cv2.IMREAD_UNCHANGED)
    rows, columns = np.nonzero(mask)
    assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1), "the whole box"


def test_a_file_without_people_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "annotations" / "instances_none_2017.json"
    write_coco(path, [{"id": 1, "file_name": "1.png", "width": WIDTH, "height": HEIGHT}], [])
    (tmp_path / "images" / "none").mkdir(parents=True)
    done = CliRunner().invoke(app, ["predict", "--onnx", str(B0), "--annotations", str(path)])
    assert done.exit_code == 2
    assert "has no image with people" in done.output


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_hardware_that_is_not_there_is_named(annotations: Path, provider: str) -> None:
    import onnxruntime as ort

    if len({"CUDAExecutionProvider", "TensorrtExecutionProvider"} & set(ort.get_available_providers())):
        pytest.skip("it is there")
    done = CliRunner().invoke(
        app, ["predict", "--onnx", str(B0), "--annotations", str(annotations), "--provider", provider]
    )
    assert done.exit_code == 2
    assert "it has" in done.output
