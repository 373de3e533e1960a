"""A model that can be asked, whether it is a checkpoint or an exported file, ours or the seed's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from hiseg.core.canvas import Resize, Size
from hiseg.core.image import Floats, Pixels
from hiseg.engines.contract import FOREGROUND_OUTPUT, IMAGES, ROIS, ModelError, describe
from hiseg.engines.onnx import read_signature
from hiseg_training.config.model import CANVASES
from hiseg_training.engine.checkpoints import is_checkpoint, load_checkpoint

Predict = Callable[[Pixels, Floats], tuple[Floats, Floats]]
"""uint8 ``[B,3,H,W]``, RoIs ``[N,5]`` -> ``masks`` ``[N,3,h,w]`` logits or ``[N,1,h,w]`` 0/1, ``[B,1,H,W]``."""


class ProviderMissing(Exception):
    """ONNX Runtime can't compute where it was asked to; the text says where it can."""


@dataclass(frozen=True)
class Runner:
    """A model and what it takes.

    Attributes:
        canvases: (height, width) it takes.
        resize: how pictures are brought to one.
        predict: runs it.
        images: exactly so many a run; None: any number.
        crop_scale: sides of what masks cover, as multiples of the box's.
    """

    canvases: tuple[Size, ...]
    resize: Resize
    predict: Predict
    images: int | None = None
    crop_scale: float = 1.0


def function_runner(predict: Predict, crop_scale: float = 1.0) -> Runner:
    """Something that isn't a file; it takes the canvases of our models."""
    return Runner(CANVASES, Resize.LETTERBOX, predict, crop_scale=crop_scale)


def open_runner(path: Path) -> Runner:
    """The model in a file: ``.onnx``, else a checkpoint.

    Raises:
        FileNotFoundError: it isn't there.
        ModelError: an exported file doesn't keep the tensor contract, or a checkpoint isn't this project's.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    return open_onnx(path, ["CPUExecutionProvider"]) if path.suffix == ".onnx" else open_checkpoint(path)


def open_onnx(path: Path, providers: Sequence[str], threads: int = 0) -> Runner:
    """An exported file in ONNX Runtime.

    Args:
        providers: ONNX Runtime's names; the first must be there, the others take what it can't do.
        threads: 0: as many as there are cores.

    Raises:
        ProviderMissing: the first provider isn't there, or doesn't start.
        ModelError: it doesn't keep the tensor contract.
    """
    there = ort.get_available_providers()
    if providers[0] not in there:
        raise ProviderMissing(f"this ONNX Runtime has no {providers[0]}; it has {', '.join(there)}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=list(providers))
    if providers[0] not in session.get_providers():
        # It only warns, and takes the next one: nobody should time that.
        raise ProviderMissing(f"{providers[0]} did not start; what ONNX Runtime printed above says why")
    said = read_signature(session, path)
    info, mask_output = describe(said, path.stem, "", "onnx")
    images = said.inputs[IMAGES][0]

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        tensor = images if info.takes_uint8 else images.astype(np.float32) / 255
        masks, foreground = session.run([mask_output, FOREGROUND_OUTPUT], {IMAGES: tensor, ROIS: rois})
        return masks, foreground

    return Runner(info.canvases, info.resize, predict, images if isinstance(images, int) else None, info.crop_scale)


def open_checkpoint(path: Path) -> Runner:
    """A checkpoint in torch, on the GPU where there is one."""
    if not is_checkpoint(path):
        raise ModelError(f"{path} is no checkpoint of this project's; of others', exported .onnx files are taken")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_checkpoint(path).to(device)

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        with torch.inference_mode():
            _, foreground, wide = model(torch.from_numpy(images).to(device), torch.from_numpy(rois).to(device))
        return wide.float().cpu().numpy(), foreground.float().cpu().numpy()

    return function_runner(predict, model.config.context)
