"""Checkpoints: weights beside the configuration they belong to, safe to load from strangers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.hierarchical import HierarchicalModel

PART = "model."
"""What a run's checkpoint puts before the names of the model's weights; it has others, such as a loss's."""


def write_whole(content: dict[str, Any], path: Path) -> None:
    """Write atomically and to the disk: a reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def save_checkpoint(path: Path, model: HierarchicalModel, notes: dict[str, Any], half: bool = False) -> None:
    """A model alone, without the run that made it.

    Args:
        notes: about it; any plain values.
        half: matrices and filters in half precision: half the bytes, to start other runs from.
    """
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        state = {k: v.half() if v.ndim > 1 else v for k, v in state.items()}
    write_whole({"config": model.config.to_dict(), "state_dict": state, "notes": notes}, path)


def load_checkpoint(path: Path) -> HierarchicalModel:
    """The model in a checkpoint, in eval mode; its configuration is read from the file, never from the path.

    Of a run's checkpoint these are the averaged weights.

    Raises:
        FileNotFoundError: if it isn't there.
        RuntimeError: if its weights don't fit its configuration.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    config = ModelConfig.from_dict({**content["config"], "pretrained": False})
    state = content["state_dict"]
    if "configuration" in content:
        state = {name.removeprefix(PART): value for name, value in state.items() if name.startswith(PART)}
    model = HierarchicalModel(config)
    model.load_state_dict(state)
    return model.eval()


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of this project's, rather than somebody else's.

    Raises:
        FileNotFoundError: if it isn't there.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise
    except Exception:
        # Old pickles, archives, objects: whatever torch says of them, they aren't ours.
        return False
    return isinstance(content, dict) and {"config", "state_dict"} <= set(content) and "mask_size" in content["config"]


def read_run(path: Path) -> dict[str, Any]:
    """The configuration, as JSON would have it, of the run that wrote a checkpoint.

    Raises:
        FileNotFoundError: if it isn't there.
        ValueError: it holds a model alone.
    """
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if "configuration" not in content:
        raise ValueError(f"resume: {path} holds a model, but not the state of a run")
    found: dict[str, Any] = content["configuration"]
    return found
