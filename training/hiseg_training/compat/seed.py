"""Reads the foreground UNets of the described system, of every layout in which they are about.

Known are distilled students (``unet.``), ternaus' people_segmentation (``model.``), data-parallel ones (``module.``),
bare ones, and the UNet inside a whole instance checkpoint, with or without its wrapper. What a file holds is told from
its tensors, never from its name; nothing in a file is ever run.
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
from hiseg_training.models.outputs import IMAGENET_MEAN, IMAGENET_STD

STEM = "encoder.conv_stem.weight"
HEAD = "segmentation_head.0."
SHAPES = {(32, 16, 1280): "b0", (32, 23, 1280): "b1", (40, 26, 1536): "b3", (64, 55, 2560): "b7"}
"""Width of the stem, number of blocks and width of the last convolution of each variant."""


class SeedError(ValueError):
    """A file isn't a foreground UNet that is known here; says what is the matter."""


@dataclass(frozen=True)
class SeedUNet:
    """A foreground UNet's weights.

    Attributes:
        variant: ``b0``, ``b1``, ``b3`` or ``b7``.
        state: of segmentation_models_pytorch's UNet; its one logit is the log-odds of a person as the whole
            checkpoint means them, a wrapper's two-channel convolution being folded in.
        mean: of the pixels 0..1 it was trained on, float ``[1, 3, 1, 1]``.
        std: the same.
    """

    variant: str
    state: dict[str, torch.Tensor]
    mean: torch.Tensor
    std: torch.Tensor

    def config(self, config: ModelConfig) -> ModelConfig:
        """``config`` with this UNet as its coarse stage, on the whole canvas as it was trained."""
        return replace(config, coarse_family="unet", coarse_variant=self.variant, coarse_reduction=1)

    def put_into(self, stage: UNetStage) -> None:
        """Load the weights and the normalisation.

        Raises:
            SeedError: they don't fit; names the first key that differs, and the shapes.
        """
        own = stage.net.state_dict()
        for name in (*own, *(name for name in self.state if name not in own)):
            found = tuple(self.state[name].shape) if name in self.state else "missing"
            wanted = tuple(own[name].shape) if name in own else "not part of it"
            if found != wanted:
                raise SeedError(f"{name}: the file has {found}, a UNet of variant {self.variant} {wanted}")
        stage.net.load_state_dict(self.state)
        stage.mean.copy_(self.mean)
        stage.std.copy_(self.std)

    def stage(self) -> UNetStage:
        """A UNet with these weights, in eval mode.

        Raises:
            SeedError: as :meth:`put_into`.
        """
        stage = UNetStage(self.variant)
        self.put_into(stage)
        return stage.eval()


def read_seed_unet(path: Path) -> SeedUNet:
    """The foreground UNet in a checkpoint.

    Raises:
        FileNotFoundError: if it isn't there.
        SeedError: if no such UNet is in it, or it can't be read without running what it holds.
    """
    content = _load(path)
    tensors = {}
    for holder in (content.get("model_state_dict"), content.get("state_dict"), content):
        if isinstance(holder, Mapping):
            tensors = {str(k).removeprefix("module."): v for k, v in holder.items() if isinstance(v, torch.Tensor)}
            break
    stems = [name for name in tensors if name == STEM or name.endswith("." + STEM)]
    if len(stems) != 1:
        raise SeedError(f"{path}: has {len(stems)} tensors named {STEM}, where a foreground UNet has one")
    prefix = stems[0].removesuffix(STEM)
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    # A whole instance checkpoint has the normalisation beside the UNet, and the wrapper's convolution one level up.
    beside = prefix.removesuffix("model.")
    above = beside.removesuffix("model.")
    scale, bias = _two_channels(tensors.get(f"{above}output_conv.weight"), tensors.get(f"{above}output_conv.bias"))
    for name, factor, shift in (("weight", scale, 0.0), ("bias", scale, bias)):
        if HEAD + name in state:
            state[HEAD + name] = state[HEAD + name] * factor + shift
    return SeedUNet(
        _variant(path, state),
        {name: value for name, value in state.items() if name not in ("norm_mean", "norm_std")},
        tensors.get(f"{beside}norm_mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)),
        tensors.get(f"{beside}norm_std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)),
    )


def _two_channels(weight: torch.Tensor | None, bias: torch.Tensor | None) -> tuple[float, float]:
    """Scale and shift that make log-odds of a person of the UNet's logit l.

    The wrapper makes two channels of l by a trained convolution and takes their softmax, so the log-odds are the
    channels' difference. The person's channel is the one that grows with l, wherever it stands.
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
        raise SeedError(f"{path}: an encoder of stem width, blocks and last width {shape} is none of {known}")
    return SHAPES[shape]


class _Inert:
    """Stands where a file holds an object of a class that isn't torch's; takes anything and does nothing."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def _load(path: Path) -> Mapping[str, Any]:
    """What a file holds, its tensors alone being of use; live objects become inert ones, no code of theirs is run."""
    source = _opened(path)
    try:
        names = _foreign_classes(source)
        with torch.serialization.safe_globals([(_Inert, name) for name in names]):
            content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # Bytes that are no checkpoint fail in any way there is.
        raise SeedError(
            f"{path}: cannot be read without running what it holds, or is no checkpoint: {error}"
        ) from error
    if not isinstance(content, Mapping):
        raise SeedError(f"{path}: holds a {type(content).__name__}, not a dictionary of weights")
    return content


def _foreign_classes(source: io.BytesIO) -> list[str]:
    """Names of what a file would import, beyond what torch trusts; files of torch's oldest format give none."""
    if not zipfile.is_zipfile(source):
        source.seek(0)
        return []
    source.seek(0)
    names = torch.serialization.get_unsafe_globals_in_checkpoint(source)
    source.seek(0)
    return names


def _opened(path: Path) -> io.BytesIO:
    """The file's bytes, or those of the one checkpoint in it where it is an archive of that, as releases are."""
    content = io.BytesIO(path.read_bytes())
    if zipfile.is_zipfile(content):
        with zipfile.ZipFile(content) as archive:
            members = [member for member in archive.namelist() if member.endswith((".pth", ".pt", ".ckpt"))]
            if len(members) == 1:
                content = io.BytesIO(archive.read(members[0]))
    content.seek(0)
    return content
