"""Simplifies any ONNX file and checks on random inputs that its results stay the same.

Weights that are stored in FP16 stay so: folding constants alone would double such a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from hiseg.engines.onnx_file import weights_of
from hiseg_training.export.onnx import read_metadata, simplify_graph, write_metadata
from hiseg_training.export.parity import ParityError
from hiseg_training.export.precision import store_in_fp16, stores_in_fp16
from hiseg_training.inference.runner import open_session

TOLERANCE = 1e-4
"""Largest difference of outputs: the sum of an absolute and a relative tolerance, as in ``numpy.allclose``."""
SIDE = 64
"""Length of free dimensions in random inputs, except the first, which is 2."""
TYPES = {"tensor(float)": "f4", "tensor(float16)": "f2", "tensor(uint8)": "u1", "tensor(int64)": "i8"}


def optimize(source: Path, output: Path) -> str:
    """Write a simplified copy of an ONNX file.

    Its metadata are those of the source, except that ``precision``, where it is there, says what most of the written
    weights are stored in.

    Returns:
        A sentence with the numbers of nodes before and after, and how far outputs differ.

    Raises:
        ParityError: the results differ, or the file cannot be run.
        ValueError: an input has an unsupported type.
        ModelError: the file can't be opened.
    """
    inputs = random_inputs(source)
    before = onnx.load(source)
    after = simplify_graph(before)
    if stores_in_fp16(before):
        store_in_fp16(after, lossless=True)
    outputs = []
    for proto in (before, after):
        try:
            session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
            outputs.append(session.run(None, inputs))
        except Exception as error:
            raise ParityError(f"ONNX Runtime cannot run it: {error}") from error
    worst = 0.0
    for old, new in zip(*outputs, strict=True):
        if old.shape != new.shape or not np.allclose(old, new, atol=TOLERANCE, rtol=TOLERANCE):
            raise ParityError("simplified it gives something else; nothing was written")
        worst = max(worst, float(np.abs(old.astype(np.float64) - new).max(initial=0)))
    output.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(after, output)
    metadata, stored = read_metadata(output), weights_of(output)
    if stored and metadata.get("precision", stored) != stored:
        write_metadata(output, metadata | {"precision": stored})
    return f"{len(before.graph.node)} nodes became {len(after.graph.node)}; outputs differ by {worst:.1e} at most"


def random_inputs(path: Path) -> dict[str, Any]:
    """Draw inputs for an ONNX file, by name: floats 0..1, uint8 0..255, and ``rois`` of the first image."""
    rng = np.random.default_rng(0)
    made: dict[str, Any] = {}
    session = open_session(path, ["CPUExecutionProvider"])
    for tensor in session.get_inputs():
        if tensor.type not in TYPES:
            raise ValueError(f"input {tensor.name}: {tensor.type} is not one of {', '.join(TYPES)}")
        shape = [side if isinstance(side, int) else SIDE if index else 2 for index, side in enumerate(tensor.shape)]
        kind = np.dtype(TYPES[tensor.type])
        values = rng.uniform(0, 255 if kind == np.uint8 else 1, shape)
        if tensor.name == "rois":
            values = np.concatenate([np.zeros((shape[0], 1)), np.sort(values[:, 1:], axis=1)], axis=1)
        made[tensor.name] = values.astype(kind)
    return made
