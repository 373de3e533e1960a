"""The checkpoint format: weights beside the configuration they belong to, safe to load from strangers.

Nothing here needs Lightning, whose import takes seconds: who only reads a checkpoint doesn't wait for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from hiseg.engines.contract import ModelError
from hiseg_training.config.model import ModelConfig
from hiseg_training.models.coarse import CoarseNetwork
from hiseg_training.models.hierarchical import HierarchicalModel, build_coarse

MODEL_PREFIX = "model."
"""Prefix of the model's weights in a run's checkpoint, which has others too, such as a loss's projections."""


class CoarseCheckpoint(NamedTuple):
    """What a checkpoint has for the coarse stage.

    Attributes:
        config: of the whole model.
        stage: the coarse stage, in eval mode.
        fine: tensors of the fine stage by name; none if it is of the kind that read the coarse stage's features.
    """

    config: ModelConfig
    stage: CoarseNetwork
    fine: dict[str, torch.Tensor]


def write_atomically(content: dict[str, Any], path: Path) -> None:
    """Save ``content`` and flush it to the disk: a reader finds the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def save_checkpoint(path: Path, model: HierarchicalModel, notes: dict[str, Any], half: bool = False) -> None:
    """Save a model alone, without the state of the run that made it.

    Args:
        path: file to write.
        model: to save; its weights stay as they are.
        notes: about the model; any plain values.
        half: store matrices and filters as float16: half the bytes, enough to start other runs from.
    """
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        state = {k: v.half() if v.ndim > 1 else v for k, v in state.items()}
    write_atomically({"config": model.config.to_dict(), "state_dict": state, "notes": notes}, path)


def load_checkpoint(path: Path) -> HierarchicalModel:
    """Load the model in a checkpoint, in eval mode; its configuration is read from the file, never from the path.

    From a run's checkpoint these are the averaged weights.

    Raises:
        FileNotFoundError: the file doesn't exist.
        ModelError: it is no checkpoint of this project's, its weights don't fit its configuration, or its fine stage is
            of the kind that read the coarse stage's features.
    """
    config, state = _read_weights(path)
    if _has_prior(state):
        raise ModelError(
            f"{path}: its fine stage reads the coarse stage's features, as none does any more; train it anew"
        )
    model = HierarchicalModel(config)
    _load(model, state, path)
    return model.eval()


def load_coarse(path: Path) -> CoarseCheckpoint:
    """Load the coarse stage in a checkpoint as :func:`load_checkpoint` does, whatever kind its fine stage is of.

    Raises:
        FileNotFoundError: the file doesn't exist.
        ModelError: it is no checkpoint of this project's, or its weights don't fit its configuration.
    """
    config, state = _read_weights(path)
    stage = build_coarse(config)
    _load(stage, _below("coarse.", state), path)
    fine = {} if _has_prior(state) else _below("fine.", state)
    return CoarseCheckpoint(config, stage.eval(), fine)


def _read_weights(path: Path) -> tuple[ModelConfig, dict[str, torch.Tensor]]:
    """The configuration and the model's tensors by name in a checkpoint."""
    if not is_checkpoint(path):
        raise ModelError(f"{path} is no checkpoint of this project's; of others', exported .onnx files are taken")
    content = torch.load(path, map_location="cpu", weights_only=True)
    config = ModelConfig.from_dict({**content["config"], "pretrained": False})
    state = content["state_dict"]
    return config, _below(MODEL_PREFIX, state) if "configuration" in content else state


def _below(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _has_prior(state: dict[str, torch.Tensor]) -> bool:
    """Whether a fine stage is of the kind that read the coarse stage's features."""
    return "fine.prior.weight" in state


def _load(module: nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError) as error:  # which lists hundreds of names in as many lines
        raise ModelError(f"{path}: its weights don't fit its configuration") from error


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint in this project's format.

    Raises:
        FileNotFoundError: the file doesn't exist.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        return False
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise
    except Exception:
        # Whatever torch raises for old pickles, archives and objects: they are in another format.
        return False
    parts = isinstance(content, dict) and {"config", "state_dict"} <= set(content)
    return parts and isinstance(content["config"], dict) and "mask_size" in content["config"]


def read_run(path: Path) -> dict[str, Any]:
    """The configuration, as JSON would have it, of the run that wrote a checkpoint.

    Raises:
        FileNotFoundError: the file doesn't exist.
        ValueError: it holds a model alone.
    """
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if "configuration" not in content:
        raise ValueError(f"resume: {path} holds a model, but not the state of a run")
    found: dict[str, Any] = content["configuration"]
    return found
