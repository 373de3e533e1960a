"""Writes Triton's configuration of a model from the model's own file, so that the two cannot differ.

Triton does no batching: rows of RoIs refer to images of the batch, so the service batches in front of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto

CONFIGURATION = "config.pbtxt"
CPU_CONFIGURATION = "configs/cpu.pbtxt"
"""Configuration for a server started with ``--model-config-name=cpu``."""
ACCELERATED_CONFIGURATION = "configs/tensorrt.pbtxt"
"""Experimental, never run on a GPU, for ``--model-config-name=tensorrt``: ONNX Runtime uses TensorRT where it can."""
ACCELERATOR = """optimization { execution_accelerators { gpu_execution_accelerator [ {
  name: "tensorrt"
  parameters { key: "precision_mode" value: "FP16" }
  parameters { key: "max_workspace_size_bytes" value: "2147483648" }
  parameters { key: "trt_engine_cache_enable" value: "true" }
  parameters { key: "trt_engine_cache_path" value: "/tmp/hiseg-tensorrt" }
} ] } }
"""
ON_GPU = "instance_group [ { count: 1 kind: KIND_GPU } ]\n"
VERSIONS = 2
"""Versions served at once: the newest, and the one before until services have moved on from it."""
WARM_PEOPLE = 4
TYPES: dict[int, str] = {TensorProto.UINT8: "TYPE_UINT8", TensorProto.FLOAT: "TYPE_FP32"}


def write_configurations(folder: Path, name: str, model: Path) -> None:
    """Write the files of :func:`configurations` into a model's folder of the repository.

    Args:
        folder: of the model.
        name: of the model.
        model: an ``.onnx`` file with metadata, of any version: all versions have the same contract.
    """
    for path, text in configurations(name, model).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)


def configurations(name: str, model: Path) -> dict[str, str]:
    """Return the text of each configuration file, by its path in the model's folder.

    Raises:
        KeyError: the metadata has no canvases, or a tensor is neither UINT8 nor FLOAT.
    """
    common = _common(name, "onnxruntime", model)
    return {
        CONFIGURATION: common + ON_GPU,
        CPU_CONFIGURATION: common + "instance_group [ { count: 1 kind: KIND_CPU } ]\n",
        ACCELERATED_CONFIGURATION: common + ON_GPU + ACCELERATOR,
    }


def plan_configuration(name: str, model: Path, profiles: int) -> str:
    """The configuration of TensorRT plans that were built of a file.

    Args:
        name: of the plans' model.
        model: the ``.onnx`` file, with metadata.
        profiles: how many the plans have; Triton takes the one that a batch fits.
    """
    numbers = ", ".join(f'"{number}"' for number in range(profiles))
    group = f"instance_group [ {{ count: 1 kind: KIND_GPU profile: [ {numbers} ] }} ]\n"
    return _common(name, "tensorrt", model) + group


def _common(name: str, backend: str, model: Path) -> str:
    proto = onnx.load(model)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    types = {tensor.name: TYPES[tensor.type.tensor_type.elem_type] for tensor in proto.graph.input}
    return f"""name: "{name}"
backend: "{backend}"
max_batch_size: 0
version_policy {{ latest {{ num_versions: {VERSIONS} }} }}
input [
{_tensors(proto.graph.input)}
]
output [
{_tensors(proto.graph.output)}
]
model_warmup [
{_warm_up(json.loads(metadata["canvases"]), types)}
]
{_parameters(metadata)}
"""


def _tensors(tensors: Any) -> str:
    return ",\n".join(
        f'  {{ name: "{tensor.name}" data_type: {TYPES[tensor.type.tensor_type.elem_type]} '
        f"dims: [ {', '.join(str(side.dim_value or -1) for side in tensor.type.tensor_type.shape.dim)} ] }}"
        for tensor in tensors
    )


def _warm_up(canvases: list[list[int]], inputs: dict[str, str]) -> str:
    """Return a warm-up request with a black image for each canvas; empty boxes cost as much as others.

    Args:
        canvases: (height, width) of each.
        inputs: Triton's types of the inputs, by name; a graph without masks has no ``rois``.
    """
    images, rois = inputs["images"], ""
    if "rois" in inputs:
        data = f"data_type: TYPE_FP32 dims: [ {WARM_PEOPLE}, 5 ] zero_data: true"
        rois = f'    inputs {{ key: "rois" value {{ {data} }} }}\n'
    return ",\n".join(
        f"""  {{
    name: "{height}x{width}" batch_size: 1
    inputs {{ key: "images" value {{ data_type: {images} dims: [ 1, 3, {height}, {width} ] zero_data: true }} }}
{rois}  }}"""
        for height, width in canvases
    )


def _parameters(metadata: dict[str, str]) -> str:
    return "\n".join(
        f"parameters {{ key: {json.dumps(key)} value {{ string_value: {json.dumps(value)} }} }}"
        for key, value in metadata.items()
    )
