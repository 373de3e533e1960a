"""Stand-ins for the ONNX files that upstream releases (PINTO0309's human-instance-segmentation).

The released files can't be had here; these are made from what is known of them. They have the same tensors, types and
names, a fixed canvas, symbolic dimensions that are called by their number ("128"), and no metadata. Boxes are sampled
with their edges included, one point per cell, at raw pixel positions. The network is another one: whoever is red is a
person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hiseg.engines.base import Outputs

Size = tuple[int, int]


class Generation(Enum):
    """What the mask output is: its name and channels."""

    LOGITS = ("masks", 3)
    BINARY = ("instance_masks", 1)


@dataclass(frozen=True)
class UpstreamFile:
    """One of the released files, or a graph that has one of its two outputs alone; sizes are (height, width)."""

    generation: Generation = Generation.LOGITS
    canvas: Size = (480, 640)
    mask: Size = (128, 96)
    outputs: Outputs = Outputs.BOTH

    def save(self, path: Path) -> Path:
        """Write it; folders are made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        output, channels = self.generation.value
        height, width = self.canvas
        texts = [str(side) for side in (channels, *self.mask)]
        logit, *probability = self._foreground()
        nodes, outputs = [logit, *(probability if Outputs.FOREGROUND in self.outputs else ())], []
        inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch_size", 3, height, width])]
        if Outputs.MASKS in self.outputs:
            nodes += [*self._sampled(), *self._masks()]
            inputs.append(helper.make_tensor_value_info("rois", TensorProto.FLOAT, ["num_rois", 5]))
            outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["num_rois", *texts]))
        if Outputs.FOREGROUND in self.outputs:
            sides = ["batch_size", "1", str(height), str(width)]
            outputs.append(helper.make_tensor_value_info("binary_masks", TensorProto.FLOAT, sides))
        used = {name for node in nodes for name in node.input}
        constants = [constant for constant in self._constants() if constant.name in used]
        graph = helper.make_graph(nodes, "seed", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path

    def _foreground(self) -> list[Any]:
        """A logit that is positive where it is red, and its sharpened probability."""
        return [
            helper.make_node("Conv", ["images", "redness", "doubt"], ["logit"]),
            helper.make_node("Mul", ["logit", "two"], ["sharp"]),
            helper.make_node("Sigmoid", ["sharp"], ["binary_masks"]),
        ]

    def _sampled(self) -> list[Any]:
        """The logit in each box, ``sampled`` ``[N, 1, h, w]``."""
        columns = ("image", "x1", "y1", "x2", "y2")
        cut = [
            helper.make_node("Slice", ["rois", f"from{i}", f"from{i + 1}", "axis"], [name])
            for i, name in enumerate(columns)
        ]
        lines = []
        for side in "xy":
            lines += [
                helper.make_node("Sub", [f"{side}2", f"{side}1"], [f"length_{side}"]),
                helper.make_node("Mul", [f"length_{side}", f"points_{side}"], [f"along_{side}"]),
                helper.make_node("Add", [f"along_{side}", f"{side}1"], [f"place_{side}"]),
                # What GridSample takes for a raw pixel position, with its corners aligned.
                helper.make_node("Mul", [f"place_{side}", f"stretch_{side}"], [f"wide_{side}"]),
                helper.make_node("Sub", [f"wide_{side}", "one"], [f"grid_{side}"]),
                helper.make_node("Unsqueeze", [f"grid_{side}", f"axes_{side}"], [f"line_{side}"]),
                helper.make_node("Add", [f"line_{side}", "sheet"], [f"sheet_{side}"]),
            ]
        return [
            *cut,
            helper.make_node("Squeeze", ["image", "axis"], ["image_row"]),
            helper.make_node("Cast", ["image_row"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["logit", "index"], ["of_image"], axis=0),
            *lines,
            helper.make_node("Concat", ["sheet_x", "sheet_y"], ["grid"], axis=3),
            helper.make_node("GridSample", ["of_image", "grid"], ["sampled"], align_corners=1),
        ]

    def _masks(self) -> list[Any]:
        output, _ = self.generation.value
        if self.generation is Generation.BINARY:
            return [
                helper.make_node("Greater", ["sampled", "zero"], ["is_target"]),
                helper.make_node("Cast", ["is_target"], [output], to=TensorProto.FLOAT),
            ]
        return [
            helper.make_node("Neg", ["sampled"], ["background"]),
            helper.make_node("Mul", ["sampled", "zero"], ["nothing"]),
            helper.make_node("Sub", ["nothing", "much"], ["others"]),
            helper.make_node("Concat", ["background", "sampled", "others"], [output], axis=1),
        ]

    def _constants(self) -> list[Any]:
        (height, width), (rows, columns) = self.canvas, self.mask
        floats = {
            "redness": np.array([20, -20, 0]).reshape(1, 3, 1, 1),
            "doubt": np.array([-10]),
            "zero": np.array(0),
            "one": np.array(1),
            "two": np.array(2),
            "much": np.array(30),
            "points_x": np.linspace(0, 1, columns)[None],
            "points_y": np.linspace(0, 1, rows)[None],
            "stretch_x": np.array(2 * width / (width - 1)),
            "stretch_y": np.array(2 * height / (height - 1)),
            "sheet": np.zeros((1, rows, columns, 1)),
        }
        whole = {"axis": [1], "axes_x": [1, 3], "axes_y": [2, 3]} | {f"from{i}": [i] for i in range(6)}
        return [numpy_helper.from_array(value.astype(np.float32), name) for name, value in floats.items()] + [
            numpy_helper.from_array(np.array(value, np.int64), name) for name, value in whole.items()
        ]
