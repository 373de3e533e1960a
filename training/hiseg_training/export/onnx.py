"""Exports a model to ONNX by the tensor contract, and refuses if ONNX Runtime disagrees with PyTorch.

Options named after PINTO0309's human-instance-segmentation ("upstream") match its files.
"""

from __future__ import annotations

import copy
import itertools
import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxslim
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hiseg.models.random_inputs import random_rois
from hiseg_training.compat.dilation import DilatedTarget
from hiseg_training.config.model import CANVASES, Size
from hiseg_training.export.forms import DTYPES, OPSETS, Graph
from hiseg_training.export.graphs import TENSORS, graph_module
from hiseg_training.export.parity import TOLERANCE, ParityError, worst_difference
from hiseg_training.export.roi_align import roi_align_in_onnx
from hiseg_training.models.hierarchical import HierarchicalModel

STEP = 32
"""Sides of canvases are multiples of this, in pixels."""


def check_opset(opset: int) -> None:
    """Check that an opset is one of :data:`OPSETS`.

    Raises:
        ValueError: it is not; the message names those that are.
    """
    if opset not in OPSETS:
        raise ValueError(f"opset: {opset} is not one of {', '.join(map(str, OPSETS))}")


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep PyTorch's exporter from printing what nobody can act on.

    It uses what PyTorch itself advises against, and ONNX Script warns of each operator that it leaves as it is.
    """
    folding = logging.getLogger("onnxscript.optimizer._constant_folding")
    level = folding.level
    folding.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*", FutureWarning)
            yield
    finally:
        folding.setLevel(level)


@dataclass(frozen=True)
class ExportOptions:
    """Options of an exported file.

    Attributes:
        graph: what the file computes.
        canvases: (height, width) of the canvases that the file declares; the graph itself accepts any.
        dtype: of the input ``images``: ``uint8``, 0..255, or ``float32``, 0..1, as in upstream's files.
        dilation_pixels: upstream's dilation of logits, see :mod:`hiseg_training.compat.dilation`; 0 for none.
        opset: of ONNX.

    Raises:
        ValueError: a value is not supported; the message names the field.
    """

    graph: Graph = Graph.MASKS
    canvases: tuple[Size, ...] = CANVASES
    dtype: str = "uint8"
    dilation_pixels: int = 0
    opset: int = OPSETS[0]

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype: {self.dtype!r} is not one of {', '.join(DTYPES)}")
        check_opset(self.opset)
        if self.dilation_pixels < 0:
            raise ValueError(f"dilation_pixels: {self.dilation_pixels} is less than 0")
        if self.dilation_pixels and not self.graph.has_masks:
            raise ValueError(f"dilation_pixels: there is nothing to dilate in the graph {self.graph}")
        for height, width in self.canvases:
            if min(height, width) < STEP or height % STEP or width % STEP:
                raise ValueError(f"image_size: {height},{width} is not made of multiples of {STEP}")


def export_onnx(
    model: HierarchicalModel, path: Path, metadata: dict[str, Any], form: ExportOptions | None = None
) -> float:
    """Export a model to ONNX with dynamic batch, people, height and width.

    Args:
        model: in eval mode.
        path: of the new file.
        metadata: what shapes cannot say; see :func:`write_metadata`.
        form: options of the file.

    Returns:
        The largest absolute difference between the outputs of PyTorch and ONNX Runtime.

    Raises:
        ParityError: the difference is above the tolerance, or a batch norm is left in the graph.
    """
    form = form or ExportOptions()
    names, reference, folded = TENSORS[form.graph], _module(model, form), _module(fold_batch_norms(model), form)
    batch, people = torch.export.Dim("batch", min=1), torch.export.Dim("people", min=0)
    height, width = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    given = dict(zip(("images", "rois"), example_inputs((2, 3, 480, 640), 3, dtype=form.dtype), strict=True))
    shapes = {"images": {0: batch, 2: height, 3: width}, "rois": {0: people}}
    with quiet_exporter():
        program = torch.onnx.export(
            folded,
            tuple(given[name] for name in names.inputs),
            dynamo=True,
            opset_version=form.opset,
            input_names=names.inputs,
            output_names=names.outputs,
            dynamic_shapes={name: shapes[name] for name in names.inputs},
            custom_translation_table={torch.ops.hiseg.onnx_roi_align.default: roi_align_in_onnx},
            verbose=False,
        )
    assert program is not None
    return write_verified(simplify_graph(program.model_proto), path, reference, metadata, parity_inputs(form))


def _module(model: HierarchicalModel, form: ExportOptions) -> nn.Module:
    """Return what a file of that form computes, in eval mode."""
    module = graph_module(model, form.graph)
    return (DilatedTarget(module, form.dilation_pixels) if form.dilation_pixels else module).eval()


def write_verified(
    proto: onnx.ModelProto,
    path: Path,
    reference: nn.Module,
    metadata: dict[str, Any],
    runs: Iterable[Mapping[str, torch.Tensor]],
) -> float:
    """Write a graph with metadata, and remove it again if its outputs differ from the reference's.

    Args:
        proto: the graph.
        path: of the new file.
        reference: the PyTorch model that it must agree with.
        metadata: see :func:`write_metadata`.
        runs: inputs, by name, of the runs that are compared.

    Returns:
        The largest absolute difference of an output.

    Raises:
        ParityError: the difference is above the tolerance, or a batch norm is left in the graph.
    """
    if any(node.op_type == "BatchNormalization" for node in proto.graph.node):
        raise ParityError("a batch norm that follows no convolution is left in the graph; some runtimes have none")
    onnx.save(proto, path)
    write_metadata(path, metadata)
    difference = worst_difference(reference, path, runs)
    if difference > TOLERANCE:
        path.unlink()
        raise ParityError(f"ONNX Runtime and PyTorch differ by {difference:.2g}; at most {TOLERANCE:.0e} is taken")
    return difference


def simplify_graph(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a checked graph with the same results and fewer nodes: constants folded, duplicates removed."""
    slim = onnxslim.slim(proto)
    assert isinstance(slim, onnx.ModelProto)
    onnx.checker.check_model(slim, full_check=True)
    return slim


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an exported file, without its weights where they are stored outside."""
    return {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}


def write_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Replace the metadata of an exported file; values other than strings are written as JSON."""
    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()})
    onnx.save(proto, path)


def fold_batch_norms(model: HierarchicalModel) -> HierarchicalModel:
    """Return a copy of a model with each batch norm folded into the convolution before it, transposed ones included.

    PyTorch's exporter itself only folds batch norms behind plain convolutions whose shape nothing else asks for.
    """
    folded = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    fold_sequences(folded)
    fold_efficientnets(folded)
    return cast(HierarchicalModel, folded)


def fold_sequences(module: nn.Module) -> None:
    """Fold every batch norm that follows a convolution in an ``nn.Sequential``, in place."""
    for block in module.modules():
        if isinstance(block, nn.Sequential):
            for index in range(len(block) - 1):
                convolution, norm = block[index], block[index + 1]
                if isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d) and type(norm) is nn.BatchNorm2d:
                    transposed = isinstance(convolution, nn.ConvTranspose2d)
                    block[index] = fuse_conv_bn_eval(convolution, norm, transposed)
                    block[index + 1] = nn.Identity()


def fold_efficientnets(module: nn.Module) -> None:
    """Fold every batch norm of timm's EfficientNets, in place; those have an activation of their own, which is left.

    The convolution that a norm belongs to is the child before it in its block.
    """
    for block in module.modules():
        children = list(block.named_children())
        for (before, convolution), (name, norm) in itertools.pairwise(children):
            if isinstance(convolution, nn.Conv2d) and type(norm).__name__ == "BatchNormAct2d":
                assert isinstance(norm, nn.BatchNorm2d)
                block.add_module(before, fuse_conv_bn_eval(convolution, norm))
                block.add_module(name, norm.get_submodule("act"))


def example_inputs(
    shape: tuple[int, int, int, int], people: int, seed: int = 0, dtype: str = "uint8"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw smooth random images and RoIs spread over them.

    Args:
        shape: ``[B, 3, H, W]`` of the images.
        people: number of RoIs.
        seed: of the random numbers.
        dtype: ``uint8`` for images of 0..255, ``float32`` for 0..1.

    Returns:
        The images, and RoIs float32 ``[people, 5]``.
    """
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (shape[0], 3, 12, 12)).astype(np.float32))
    images = torch.nn.functional.interpolate(coarse, size=shape[2:], mode="bicubic").clamp(0, 255).to(torch.uint8)
    rois = torch.from_numpy(random_rois(rng, people, shape[0]))
    return images if dtype == "uint8" else images.float() / 255, rois


def parity_inputs(form: ExportOptions) -> Iterator[dict[str, torch.Tensor]]:
    """Yield the inputs that an export is checked on: every canvas, 1 and 2 images, 0 to 7 people, some twice."""
    for seed, canvas in enumerate(form.canvases):
        for images_count, people in ((1, 0), (1, 1), (2, 5)) if form.graph.has_masks else ((1, 0), (2, 0)):
            images, rois = example_inputs((images_count, 3, *canvas), people, seed, form.dtype)
            given = {"images": images, "rois": torch.cat([rois, rois[1:3]])}
            yield {name: given[name] for name in TENSORS[form.graph].inputs}
