"""Checkpoints: weights beside the configuration they belong to, safe to load from strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.config import ModelConfig
from training.models.hierarchical import HierarchicalModel


def save_checkpoint(path: Path, model: HierarchicalModel, notes: dict[str, Any]) -> None:
    """Write atomically: a reader sees the old file or the new one, never half of one."""
    partial = path.with_suffix(".partial")
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    torch.save({"config": model.config.to_dict(), "state_dict": state, "notes": notes}, partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> HierarchicalModel:
    """The model in a checkpoint, in eval mode; its configuration is read from the file, never from the path.

    Raises:
        FileNotFoundError: if it isn't there.
        RuntimeError: if its weights don't fit its configuration.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    config = ModelConfig.from_dict({**content["config"], "pretrained": False})
    model = HierarchicalModel(config)
    model.load_state_dict(content["state_dict"])
    return model.eval()
