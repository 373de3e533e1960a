"""A stand-in for NVIDIA's C++ ``onnxruntime`` backend, which isn't on PyPI: the same configurations, the same answers.

The server takes a backend written in Python where no ``libtriton_onnxruntime.so`` lies beside it, so a model with
``backend: "onnxruntime"`` loads here unchanged. Requests run one after the other in each instance, on the CPU. It is
run by the server's own interpreter, not by ours.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils

THREADS = "STAND_IN_THREADS"
"""Environment variable: threads of a model whose configuration names none. It stands for the C++ backend's
``--backend-config``, which doesn't reach a backend in Python."""
TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
}


class TritonPythonModel:
    """One instance of one version of a model."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Inputs and outputs from the file, where the configuration leaves them out."""
        written = config.as_dict()
        if written["input"] and written["output"]:
            return config
        session = open_session(own_file(), written)
        for tensor in session.get_inputs() if not written["input"] else ():
            config.add_input(tensor_config(tensor))
        for tensor in session.get_outputs() if not written["output"] else ():
            config.add_output(tensor_config(tensor))
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Open the file and hold it against the configuration."""
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        self.session = open_session(folder / config["default_model_filename"], config)
        check("input", config, self.session.get_inputs(), every=True)
        check("output", config, self.session.get_outputs(), every=False)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request for itself: what one does wrong is no other's error."""
        return [self.answer(request) for request in requests]

    def answer(self, request: Any) -> Any:
        """Run it, unless its caller has gone; only the outputs asked for are computed."""
        if request.is_cancelled():
            return failure("the request was cancelled", pb_utils.TritonError.CANCELLED)
        names = list(request.requested_output_names())
        feeds = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        try:
            found = self.session.run(names, feeds)
        except Exception as error:
            return failure(f"onnx runtime error: {error}", pb_utils.TritonError.INTERNAL)
        tensors = [pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in zip(names, found, strict=True)]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def failure(text: str, code: Any) -> Any:
    """An answer that says what went wrong."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text, code))


def open_session(path: Path, config: dict[str, Any]) -> Any:
    """The file in ONNX Runtime, with as many threads as the configuration's parameters say."""
    parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
    options = ort.SessionOptions()
    options.intra_op_num_threads = int(parameters.get("intra_op_thread_count", os.environ.get(THREADS, 0)))
    options.inter_op_num_threads = int(parameters.get("inter_op_thread_count", 0))
    # Several servers share the few cores of a test: a thread that spins while it waits would take them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def own_file() -> Path:
    """The ONNX file. Completing isn't told of it, but the server names it as the first argument of this process."""
    return Path(Path("/proc/self/cmdline").read_bytes().split(b"\0")[1].decode())


def tensor_config(tensor: Any) -> dict[str, Any]:
    """A tensor of the file as the configuration would have it."""
    return {"name": tensor.name, "data_type": TYPES[tensor.type], "dims": sides(tensor)}


def sides(tensor: Any) -> list[int]:
    """The shape, with -1 for a side that is free."""
    return [side if isinstance(side, int) else -1 for side in tensor.shape]


def check(kind: str, config: dict[str, Any], tensors: list[Any], every: bool) -> None:
    """Hold names, types and shapes of the configuration against the file's.

    Raises:
        TritonModelException: they differ; a side that is free in the file may be anything in the configuration.
    """
    known = {tensor.name: tensor for tensor in tensors}
    named = {entry["name"]: entry for entry in config[kind]}
    if not set(named) <= set(known) or (every and len(named) != len(known)):
        refuse(config, f"the configuration's {kind}s are {sorted(named)}, the file's {sorted(known)}")
    for name, entry in named.items():
        tensor = known[name]
        if entry["data_type"] != TYPES.get(tensor.type):
            refuse(config, f"{kind} '{name}' is {entry['data_type']} in the configuration, {tensor.type} in the file")
        dims = ([-1] if config["max_batch_size"] > 0 else []) + [int(side) for side in entry["dims"]]
        fits = len(dims) == len(sides(tensor)) and all(
            side in (-1, dim) for side, dim in zip(sides(tensor), dims, strict=True)
        )
        if not fits:
            refuse(config, f"{kind} '{name}' has dims {dims} in the configuration, {sides(tensor)} in the file")


def refuse(config: dict[str, Any], why: str) -> None:
    """The model isn't loaded."""
    raise pb_utils.TritonModelException(f"unable to load model '{config['name']}': {why}")
