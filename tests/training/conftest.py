"""What all tests of training share: a drawn data set for those that need no photographs, and a faster exporter."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch.onnx._internal._lazy_import import onnxscript_apis

from hiseg_training.config.model import ModelConfig
from hiseg_training.export.onnx import ExportOptions, export_onnx
from hiseg_training.export.write import describe
from hiseg_training.models.hierarchical import HierarchicalModel
from tests.training.drawing import draw_split


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations/ and images/ of ``train2017`` (8 images) and ``val2017`` (4), 120 x 160, person-only."""
    root = tmp_path_factory.mktemp("drawn")
    draw_split(root, "train2017", 8)
    draw_split(root, "val2017", 4)
    return root


@pytest.fixture(scope="session")
def of_floats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that gives masks of float32 canvases, which TensorRT takes."""
    model = HierarchicalModel(ModelConfig(fine_widths=(8,) * 4, coarse_widths=(8,) * 4)).eval()
    form = ExportOptions(canvases=((96, 128), (128, 96)), dtype="float32")
    path = tmp_path_factory.mktemp("floats") / "model.onnx"
    export_onnx(model, path, describe(model, form), form)
    return path


@pytest.fixture(scope="session", autouse=True)
def crops_kept_for_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep people's crops where they go with the tests, and let tests of the same people cut them once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def operators_listed_once() -> Iterator[None]:
    """Let torch's exporter list ONNX Script's operators once a session: it takes a second of each of many exports."""

    @functools.cache
    def operators() -> list[Any]:
        # Imported late: tests that export nothing don't need it.
        from onnxscript._framework_apis import torch_2_11

        found: list[Any] = torch_2_11.get_torchlib_ops()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(onnxscript_apis), "get_torchlib_ops", operators)
        yield
