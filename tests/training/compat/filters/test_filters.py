"""Each filter's file against the formulas in NumPy and OpenCV, on noise and on real masks of any size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from typer.testing import CliRunner

from benchmarks.harness.repository import REPOSITORY
from hiseg.models.canary import Canary
from hiseg_training.cli.main import app
from hiseg_training.compat.filters import write
from hiseg_training.compat.filters.bilateral import Sizes
from hiseg_training.compat.filters.edge import Basic
from hiseg_training.export.parity import ParityError
from tests.training.compat.filters import references

CANARY = Canary.load(REPOSITORY / "hiseg_b0" / "1")
SIZES = (7, 1.5, 0.2)
EDGE = {
    "basic_edge_smoothing": references.basic,
    "directional_edge_smoothing": references.directional,
    "optimized_edge_smoothing_fp32": references.optimized,
}
SMOOTH = {
    "bilateral": references.bilateral,
    "fast": references.fast,
    "edge_preserving": references.edge_preserving,
}
CUT = {"binary_mask": references.binary_mask, "morphological": references.morphological}
SHAPES = st.tuples(st.integers(1, 3), st.integers(4, 40), st.integers(4, 40), st.integers(0, 2**32 - 1))
Sessions = Callable[[str], ort.InferenceSession]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All filters, as the commands write them."""
    folder = tmp_path_factory.mktemp("filters")
    commands = [["edge", "--output-dir", str(folder)]]
    size, spatial, values = map(str, SIZES)
    for name in (*SMOOTH, *CUT):
        flags = ["--kernel-size", size, "--sigma-spatial", spatial, "--sigma-range", values, "--channels", "2"]
        commands.append(["bilateral", "--model-type", name, "--output", str(folder / f"{name}.onnx"), *flags])
    for command in commands:
        done = CliRunner().invoke(app, ["export-filter", *command])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def sessions(folder: Path) -> Sessions:
    """A filter that runs, by its name."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    opened = {
        path.stem: ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for path in folder.glob("*.onnx")
    }
    return opened.__getitem__


def noise(batch: int, height: int, width: int, seed: int, channels: int = 1) -> np.ndarray[Any, Any]:
    """Values 0..1 in steps of 1/64, so that sums of them are the same in 32 and in 64 bits."""
    values = np.random.default_rng(seed).integers(0, 65, (batch, channels, height, width))
    return (values / 64).astype(np.float32)


def people() -> np.ndarray[Any, Any]:
    """The two people of the sample photograph, float32 ``[2, 1, H, W]`` of 0 and 1."""
    assert CANARY is not None
    return np.stack([CANARY.masks == 1, CANARY.masks == 2])[:, None].astype(np.float32)


def each(reference: Callable[..., Any], pictures: np.ndarray[Any, Any], *arguments: float) -> np.ndarray[Any, Any]:
    """A reference on every image of a batch."""
    flat = pictures.astype(np.float64).reshape(-1, *pictures.shape[2:])
    return np.stack([reference(picture, *arguments) for picture in flat]).reshape(pictures.shape)


def assert_cut(
    found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], at: float = 0.5, near: float = 1e-4
) -> None:
    """0 and 1 on the right side of the threshold; what lies on it may fall to either."""
    assert found.shape == expected.shape
    assert set(np.unique(found)) <= {0.0, 1.0}
    clear = np.abs(expected - at) > near
    np.testing.assert_array_equal(found[clear] == 1, (expected > at)[clear])


@pytest.mark.parametrize("name", EDGE)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_edge_filters_on_noise_of_any_shape(sessions: Sessions, name: str, shape: tuple[int, int, int, int]) -> None:
    mask = noise(*shape)
    assert_cut(sessions(name).run(["smoothed_mask"], {"mask": mask})[0], each(EDGE[name], mask))


@pytest.mark.parametrize("name", EDGE)
def test_edge_filters_on_real_masks(sessions: Sessions, name: str) -> None:
    mask = people()
    (found,) = sessions(name).run(["smoothed_mask"], {"mask": mask})
    assert_cut(found, each(EDGE[name], mask))
    assert np.mean(found != mask) < 0.01, "only outlines are touched"


@settings(max_examples=25)
@given(
    shape=SHAPES,
    strength=st.floats(1, 5, width=32),
    edge=st.floats(0.5, 2, width=32),
    cut=st.floats(0.3125, 0.6875, width=32),
)
def test_the_adaptive_filters_numbers_hold_for_any_batch(
    sessions: Sessions, shape: tuple[int, int, int, int], strength: float, edge: float, cut: float
) -> None:
    numbers = {"blur_strength": strength, "edge_sensitivity": edge, "final_threshold": cut}
    for mask in (noise(*shape), people()):
        feed = {"mask": mask} | {name: np.array([value], np.float32) for name, value in numbers.items()}
        (found,) = sessions("adaptive_edge_smoothing").run(["smoothed_mask"], feed)
        assert_cut(found, each(references.adaptive, mask, strength, edge), cut)


def test_half_precision_is_right_but_for_what_lies_on_the_threshold(sessions: Sessions) -> None:
    session = sessions("optimized_edge_smoothing_fp16")
    for mask in (noise(3, 33, 21, 5), people()):
        (found,) = session.run(["smoothed_mask"], {"mask": mask.astype(np.float16)})
        assert found.dtype == np.float16
        assert_cut(found, each(references.optimized, mask), near=5e-3)


@pytest.mark.parametrize("name", SMOOTH)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_smooth_filters_on_noise_of_any_shape(sessions: Sessions, name: str, shape: tuple[int, int, int, int]) -> None:
    picture = noise(*shape, channels=2)
    (found,) = sessions(name).run(["output"], {"input": picture})
    np.testing.assert_allclose(found, each(SMOOTH[name], picture, *SIZES), atol=1e-4)


@pytest.mark.parametrize("name", CUT)
@settings(max_examples=25)
@given(shape=SHAPES)
def test_cut_filters_on_noise_of_any_shape(sessions: Sessions, name: str, shape: tuple[int, int, int, int]) -> None:
    picture = noise(*shape, channels=2) * 1.4 - 0.2
    assert_cut(sessions(name).run(["output"], {"input": picture})[0], each(CUT[name], picture, *SIZES))


@pytest.mark.parametrize("name", [*SMOOTH, *CUT])
def test_bilateral_filters_on_real_masks(sessions: Sessions, name: str) -> None:
    picture = people().transpose(1, 0, 2, 3)
    (found,) = sessions(name).run(["output"], {"input": picture})
    if name in CUT:
        assert_cut(found, each(CUT[name], picture, *SIZES))
    else:
        np.testing.assert_allclose(found, each(SMOOTH[name], picture, *SIZES), atol=1e-4)


def test_files_say_what_they_are_and_hold_only_plain_operators(folder: Path) -> None:
    for path in folder.glob("*.onnx"):
        model = onnx.load(path)
        assert {entry.key: entry.value for entry in model.metadata_props}["filter"] == path.stem
        kinds = {node.op_type for node in model.graph.node}
        assert not kinds & {"Loop", "If", "NonZero", "ScatterND", "Scan"}, path.name
        shape = model.graph.input[0].type.tensor_type.shape.dim
        assert [bool(side.dim_param) for side in shape] == [True, False, True, True], path.name
    assert json.loads({e.key: e.value for e in onnx.load(folder / "fast.onnx").metadata_props}["kernel_size"]) == 7


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((4, 1.0, 0.1), "kernel_size must be odd and at least 3, got 4"),
        ((5, 0.0, 0.1), "sigma_spatial must be positive, got 0"),
        ((5, 1.0, -1.0), "sigma_range must be positive, got -1"),
    ],
)
def test_sizes_that_make_no_filter_are_refused(sizes: tuple[int, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sizes(*sizes)


def test_a_file_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(nn.Module):
        """Traced it answers with something else than run."""

        def __init__(self) -> None:
            super().__init__()
            self.right = Basic()

        def forward(self, mask: torch.Tensor) -> torch.Tensor:
            return 1 - self.right(mask) if torch.compiler.is_compiling() else self.right(mask)

    path = tmp_path / "wrong.onnx"
    with pytest.raises(ParityError, match="differ by up to 1"):
        write.write_filter(Wrong(), path, ("mask", "smoothed_mask"), 1)
    assert not path.exists()
