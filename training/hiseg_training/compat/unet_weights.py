"""Read upstream's foreground UNets from checkpoints of all layouts in which they are published.

Known layouts are distilled students (``unet.``), ternaus' people_segmentation (``model.``), data-parallel models
(``module.``), bare ones, and the UNet inside a whole instance checkpoint, with or without its wrapper. The layout and
the variant follow from the tensors in the file, never from its name, and no code that a file holds is run.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.model import ModelConfig
from hiseg_training.models.coarse import CoarseNetwork
from hiseg_training.models.encoder import IMAGENET_MEAN, IMAGENET_STD

STEM = "encoder.conv_stem.weight"
HEAD = "segmentation_head.0."
SHAPES = {(32, 16, 1280): "b0", (32, 23, 1280): "b1", (40, 26, 1536): "b3", (64, 55, 2560): "b7"}
"""Width of the stem, number of blocks and width of the last convolution of each variant."""


class UpstreamCheckpointError(ValueError):
    """A file holds no foreground UNet in a known layout; the message says what is wrong with it."""


@dataclass(frozen=True)
class UNetWeights:
    """Weights of a foreground UNet.

    Attributes:
        variant: ``b0``, ``b1``, ``b3`` or ``b7``.
        state: tensors of segmentation_models_pytorch's UNet by name. A wrapper's two-channel convolution is folded into
            the last layer, so that its one logit is the log-odds of a person.
        mean: by which RGB values 0..1 are normalised, float ``[1, 3, 1, 1]``.
        std: by which they are divided then, float ``[1, 3, 1, 1]``.
    """

    variant: str
    state: dict[str, torch.Tensor]
    mean: torch.Tensor
    std: torch.Tensor

    def config(self, config: ModelConfig) -> ModelConfig:
        """``config`` with this UNet as its coarse stage, at the canvas's full resolution, for which it was trained."""
        return replace(config, coarse_family="unet", coarse_variant=self.variant, coarse_reduction=1)

    def load_into(self, stage: CoarseNetwork) -> None:
        """Load the weights and the normalisation into a :class:`hiseg_training.compat.unet.UNetStage`.

        Raises:
            UpstreamCheckpointError: they don't fit; the message names the first key that differs, and both shapes.
        """
        assert isinstance(stage, UNetStage), "a model of this configuration has a UNet as its coarse stage"
        own = stage.net.state_dict()
        for name in (*own, *(name for name in self.state if name not in own)):
            found = tuple(self.state[name].shape) if name in self.state else "missing"
            wanted = tuple(own[name].shape) if name in own else "not part of it"
            if found != wanted:
                raise UpstreamCheckpointError(
                    f"{name}: the file has {found}, a UNet of variant {self.variant} {wanted}"
                )
        stage.net.load_state_dict(self.state)
        stage.mean.copy_(self.mean)
        stage.std.copy_(self.std)

    def stage(self) -> UNetStage:
        """A new network with these weights, in eval mode.

        Raises:
            UpstreamCheckpointError: as :meth:`load_into`.
        """
        stage = UNetStage(self.variant)
        self.load_into(stage)
        return stage.eval()


def read_unet_weights(path: Path) -> UNetWeights:
    """Read the foreground UNet in a checkpoint.

    Raises:
        FileNotFoundError: the file doesn't exist.
        UpstreamCheckpointError: it holds no such UNet, or can't be read without running code that it holds.
    """
    content = _load(path)
    tensors = {}
    for holder in (content.get("model_state_dict"), content.get("state_dict"), content):
        if isinstance(holder, Mapping):
            tensors = {str(k).removeprefix("module."): v for k, v in holder.items() if isinstance(v, torch.Tensor)}
            break
    stems = [name for name in tensors if name == STEM or name.endswith("." + STEM)]
    if len(stems) != 1:
        raise UpstreamCheckpointError(f"{path}: has {len(stems)} tensors named {STEM}, where a foreground UNet has one")
    prefix = stems[0].removesuffix(STEM)
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    # A whole instance checkpoint has the normalisation beside the UNet, and the wrapper's convolution one level up.
    beside = prefix.removesuffix("model.")
    above = beside.removesuffix("model.")
    scale, bias = _two_channels(tensors.get(f"{above}output_conv.weight"), tensors.get(f"{above}output_conv.bias"))
    for name, factor, shift in (("weight", scale, 0.0), ("bias", scale, bias)):
        if HEAD + name in state:
            state[HEAD + name] = state[HEAD + name] * factor + shift
    return UNetWeights(
        _variant(path, state),
        {name: value for name, value in state.items() if name not in ("norm_mean", "norm_std")},
        tensors.get(f"{beside}norm_mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)),
        tensors.get(f"{beside}norm_std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)),
    )


def _two_channels(weight: torch.Tensor | None, bias: torch.Tensor | None) -> tuple[float, float]:
    """Scale and shift that turn the UNet's logit l into the log-odds of a person.

    The wrapper makes two channels of l by a trained convolution and takes their softmax, so the log-odds are the
    channels' difference. The person's channel is the one that grows with l, whichever of the two that is.

    Args:
        weight: of the wrapper's convolution, float ``[2, 1, 1, 1]``; None if there is no wrapper.
        bias: of the same, float ``[2]``.
    """
    if weight is None or bias is None:
        return 1.0, 0.0
    scale, shift = (float(pair.flatten()[0] - pair.flatten()[1]) for pair in (weight, bias))
    return (scale, shift) if scale >= 0 else (-scale, -shift)


def _variant(path: Path, state: Mapping[str, torch.Tensor]) -> str:
    blocks = {tuple(name.split(".")[2:4]) for name in state if name.startswith("encoder.blocks.")}
    last = state.get("encoder.conv_head.weight")
    shape = (state[STEM].shape[0], len(blocks), last.shape[0] if last is not None else 0)
    if shape not in SHAPES:
        known = ", ".join(f"{variant} {numbers}" for numbers, variant in SHAPES.items())
        raise UpstreamCheckpointError(
            f"{path}: an encoder of stem width, blocks and last width {shape} is none of {known}"
        )
    return SHAPES[shape]


class _Inert:
    """Replaces objects of classes that torch doesn't trust; it takes any arguments and does nothing."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def _load(path: Path) -> Mapping[str, Any]:
    """The content of a file, with objects of unknown classes replaced by inert ones; none of their code is run."""
    source = _open_archived(path)
    try:
        names = _foreign_classes(source)
        with torch.serialization.safe_globals([(_Inert, name) for name in names]):
            content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for bytes that are no checkpoint.
        raise UpstreamCheckpointError(
            f"{path}: cannot be read without running what it holds, or is no checkpoint: {error}"
        ) from error
    if not isinstance(content, Mapping):
        raise UpstreamCheckpointError(f"{path}: holds a {type(content).__name__}, not a dictionary of weights")
    return content


def _foreign_classes(source: io.BytesIO) -> list[str]:
    """Names that a file would import, beyond those that torch trusts; empty for files of torch's oldest format."""
    if not zipfile.is_zipfile(source):
        source.seek(0)
        return []
    source.seek(0)
    names = torch.serialization.get_unsafe_globals_in_checkpoint(source)
    source.seek(0)
    return names


def _open_archived(path: Path) -> io.BytesIO:
    """The file's bytes, or those of the checkpoint in it if it is a ZIP archive of one, as releases are."""
    content = io.BytesIO(path.read_bytes())
    if zipfile.is_zipfile(content):
        with zipfile.ZipFile(content) as archive:
            members = [member for member in archive.namelist() if member.endswith((".pth", ".pt", ".ckpt"))]
            if len(members) == 1:
                content = io.BytesIO(archive.read(members[0]))
    content.seek(0)
    return content
