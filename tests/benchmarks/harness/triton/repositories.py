"""Small model repositories made for a test."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def doubling(folder: Path, config: str) -> None:
    """A model that doubles a row of floats, and gives its index of the largest one too; ``[n, 4]``, n free.

    Args:
        folder: of the model, in the repository; made here.
        config: the text of its ``config.pbtxt``, without name.
    """
    (folder / "1").mkdir(parents=True)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["twice"]), helper.make_node("ArgMax", ["x"], ["most"], axis=1)],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [
            helper.make_tensor_value_info("twice", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("most", TensorProto.INT64, ["n", 1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "1" / "model.onnx")
    (folder / "config.pbtxt").write_text(f'name: "{folder.name}"\n{config}')
