"""One interface to run a model, whether it is a checkpoint or an exported file, this project's or upstream's.

Upstream is PINTO0309's human-instance-segmentation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch

from hiseg.core.canvas import Resize
from hiseg.core.image import Floats, Pixels, Size
from hiseg.engines.base import Outputs
from hiseg.engines.contract import FOREGROUND_OUTPUT, IMAGES, ROIS, ModelError, describe
from hiseg.engines.onnx import FATAL, read_signature
from hiseg.engines.unreadable import no_file, why_unopened
from hiseg_training.config.model import CANVASES
from hiseg_training.engine.checkpoints import load_checkpoint
from hiseg_training.models.hierarchical import HierarchicalModel

Predict = Callable[[Pixels, Floats], tuple[Floats, Floats | None]]
"""Maps images uint8 ``[B,3,H,W]`` and RoIs float32 ``[N,5]`` to float32 masks and foreground.

Masks are ``[N,3,h,w]`` logits or ``[N,1,h,w]`` 0/1; the foreground is a probability ``[B,1,H,W]``, None of a model
without. A model without masks takes no RoIs (N = 0).
"""


NO_MASKS: Floats = np.zeros((0, 1, 1, 1), dtype=np.float32)
"""Masks of a model that has none."""


class ProviderMissing(Exception):
    """ONNX Runtime does not have the requested provider, or it did not start; the message says which it has."""


@dataclass(frozen=True)
class Runner:
    """A model and the inputs that it accepts.

    Attributes:
        canvases: (height, width) of the canvases that it accepts.
        resize: how images are brought to a canvas.
        predict: runs the model.
        images: the exact number of images a run; None for any number.
        crop_scale: side of the region that a mask covers, as a multiple of the box's side.
        outputs: what it predicts.
    """

    canvases: tuple[Size, ...]
    resize: Resize
    predict: Predict
    images: int | None = None
    crop_scale: float = 1.0
    outputs: Outputs = Outputs.BOTH

    @property
    def has_masks(self) -> bool:
        """Whether it predicts a mask for each box."""
        return Outputs.MASKS in self.outputs

    @property
    def has_foreground(self) -> bool:
        """Whether it predicts the foreground of whole images."""
        return Outputs.FOREGROUND in self.outputs


def function_runner(predict: Predict, crop_scale: float = 1.0, outputs: Outputs = Outputs.BOTH) -> Runner:
    """Wrap a function as a model with the canvases of this project's models."""
    return Runner(CANVASES, Resize.LETTERBOX, predict, crop_scale=crop_scale, outputs=outputs)


def open_runner(path: Path) -> Runner:
    """Open a model file: ``.onnx`` in ONNX Runtime on the CPU, anything else as a checkpoint in PyTorch.

    Raises:
        FileNotFoundError: the file does not exist.
        ModelError: it is no regular file, an exported file breaks the tensor contract, or a checkpoint is not this
            project's.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} does not exist")
    if why := no_file(path):
        raise ModelError(f"{path}: {why}")
    return open_onnx(path, ["CPUExecutionProvider"]) if path.suffix == ".onnx" else open_checkpoint(path)


def open_onnx(path: Path, providers: Sequence[str], threads: int = 0) -> Runner:
    """Open an exported file in ONNX Runtime.

    Args:
        path: the ``.onnx`` file.
        providers: ONNX Runtime's provider names; the first must start, the others run what it does not support.
        threads: CPU threads of an operator; 0 uses all cores.

    Raises:
        ProviderMissing: the first provider is not available, or does not start.
        ModelError: the file can't be opened, or breaks the tensor contract.
    """
    available = ort.get_available_providers()
    if providers[0] not in available:
        raise ProviderMissing(f"this ONNX Runtime has no {providers[0]}; it has {', '.join(available)}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = open_session(path, providers, options)
    if providers[0] not in session.get_providers():
        # ONNX Runtime only warns and falls back to the next provider, whose timings would mislead.
        raise ProviderMissing(f"{providers[0]} did not start; what ONNX Runtime printed above says why")
    signature = read_signature(session, path)
    info, mask_output = describe(signature, path.stem, "", "onnx")
    images = signature.inputs[IMAGES][0]

    names = [name for name in signature.outputs if name in (mask_output, FOREGROUND_OUTPUT)]

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats | None]:
        given = {IMAGES: images if info.takes_uint8 else images.astype(np.float32) / 255, ROIS: rois}
        made = session.run(names, {name: given[name] for name in signature.inputs})
        found = dict(zip(names, made, strict=True))
        return found.get(str(mask_output), NO_MASKS), found.get(FOREGROUND_OUTPUT)

    fixed = images if isinstance(images, int) else None
    return Runner(info.canvases, info.resize, predict, fixed, info.crop_scale, info.outputs)


def open_session(path: Path, providers: Sequence[str], options: ort.SessionOptions | None = None) -> Any:
    """Open any ONNX file in ONNX Runtime.

    Raises:
        ModelError: it can't be opened; the message says what is wrong with the file.
    """
    if why := no_file(path):
        raise ModelError(f"{path}: {why}")
    options = options or ort.SessionOptions()
    if list(providers) == ["CPUExecutionProvider"]:  # of others, only what it prints says why one doesn't start
        options.log_severity_level = FATAL
    try:
        return ort.InferenceSession(path, options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's errors have no class of their own
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {why_unopened(path, error)}") from error


def open_checkpoint(path: Path) -> Runner:
    """Open a checkpoint in PyTorch, on the GPU if there is one.

    Raises:
        ModelError: the file is no checkpoint of this project's.
    """
    return model_runner(load_checkpoint(path).to("cuda" if torch.cuda.is_available() else "cpu"))


def model_runner(model: HierarchicalModel) -> Runner:
    """Wrap a model that is in memory, in eval mode, on the device where it is."""
    device = next(model.parameters()).device

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats | None]:
        with torch.inference_mode():
            _, foreground, wide = model(torch.from_numpy(images).to(device), torch.from_numpy(rois).to(device))
        return wide.float().cpu().numpy(), foreground.float().cpu().numpy()

    return function_runner(predict, model.config.context)
