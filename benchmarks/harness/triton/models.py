"""Creates model repositories for single tests: copies of the project's own, and models that it doesn't have."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.harness.repository import B0, REPOSITORY
from benchmarks.harness.triton.server import Triton
from hiseg.engines.triton.address import SCHEME
from hiseg_training.export.triton import write_configurations

FRAGILE = "fragile_b0"
FRAGILE_CANVAS = (48, 64)


def copy_of_ours(folder: Path) -> Path:
    """The project's repository, in ``folder``, without the warm-up samples, which take seconds at each load."""
    repository = Path(shutil.copytree(REPOSITORY, folder / "models"))
    for config in repository.rglob("*.pbtxt"):
        config.write_text(re.sub(r"^model_warmup \[.*?^\]\n", "", config.read_text(), flags=re.DOTALL | re.MULTILINE))
    return repository


def add_version(repository: Path, version: int, model: bytes | None = None) -> None:
    """Version 1 of B0 once more, with its canary, or another file in its place."""
    folder = repository / "hiseg_b0" / str(version)
    # Under another name first: a server that looks meanwhile must not see half of it.
    staging = repository.parent / f"staging-{version}"
    shutil.copytree(REPOSITORY / "hiseg_b0" / "1", staging)
    if model is not None:
        (staging / "model.onnx").write_bytes(model)
    staging.rename(folder)


def other_masks() -> bytes:
    """B0 with its target and background swapped: every answer has the right form and is wrong."""
    proto = onnx.load(B0)
    graph = proto.graph
    # The narrower masks are made of these, and so are wrong too.
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == "wide_masks":
                    names[index] = "masks_before"
    graph.initializer.append(numpy_helper.from_array(np.array([1, 0, 2]), "swapped"))
    graph.node.append(helper.make_node("Gather", ["masks_before", "swapped"], ["wide_masks"], axis=1))
    return bytes(proto.SerializeToString())


def add_float_b0(repository: Path, name: str) -> Path:
    """B0 with upstream's input: images come as float 0..1, and the graph makes bytes of them."""
    proto = onnx.load(B0)
    graph = proto.graph
    images = next(tensor for tensor in graph.input if tensor.name == "images")
    images.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for index, given in enumerate(node.input):
            if given == "images":
                node.input[index] = "images_bytes"
    graph.initializer.append(helper.make_tensor("most", TensorProto.FLOAT, [], [255.0]))
    nodes = [
        helper.make_node("Mul", ["images", "most"], ["images_scaled"]),
        helper.make_node("Round", ["images_scaled"], ["images_whole"]),
        helper.make_node("Cast", ["images_whole"], ["images_bytes"], to=TensorProto.UINT8),
    ]
    for node in reversed(nodes):
        graph.node.insert(0, node)
    path = repository / name / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(proto, path)
    write_configurations(repository / name, name, path)
    return path


def fragile_repository(folder: Path, instances: int = 1) -> Path:
    """Nothing but the fragile model."""
    model = folder / "models" / FRAGILE
    (model / "1").mkdir(parents=True)
    for file in ("model.py", "marks.py"):
        shutil.copy(Path(__file__).parent / "fragile" / file, model / "1")
    height, width = FRAGILE_CANVAS
    (model / "config.pbtxt").write_text(f"""name: "{FRAGILE}"
backend: "python"
max_batch_size: 0
input [
  {{ name: "images" data_type: TYPE_UINT8 dims: [ -1, 3, {height}, {width} ] }},
  {{ name: "rois" data_type: TYPE_FP32 dims: [ -1, 5 ] }}
]
output [
  {{ name: "masks" data_type: TYPE_FP32 dims: [ -1, 3, 8, 6 ] }},
  {{ name: "binary_masks" data_type: TYPE_FP32 dims: [ -1, 1, {height}, {width} ] }}
]
instance_group [ {{ count: {instances} kind: KIND_CPU }} ]
""")
    return model.parent


def targets_of(*servers: Triton) -> str:
    """The setting ``engine`` for these servers."""
    return SCHEME + ",".join(server.address for server in servers)
