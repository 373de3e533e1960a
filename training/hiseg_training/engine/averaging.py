"""The mean of several models' weights: what two runs from one start have learnt, at the price of one model.

Runs that began from the same weights and saw different data end near each other, and the mean of their weights is often
better than each (Wortsman et al., 2022, arXiv:2203.05482). Between models with nothing in common it is worthless.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from hiseg.engines.contract import ModelError
from hiseg_training.engine.checkpoints import load_checkpoint
from hiseg_training.models.hierarchical import HierarchicalModel


def load_average(paths: Sequence[Path]) -> HierarchicalModel:
    """Load the mean of the models in checkpoints, each of which counts alike, in eval mode.

    Numbers that aren't floating point, as batch norms count batches, are the first one's.

    Args:
        paths: of at least one checkpoint.

    Raises:
        FileNotFoundError, ModelError: see :func:`~hiseg_training.engine.checkpoints.load_checkpoint`.
        ModelError: the models have different configurations.
    """
    model = load_checkpoint(paths[0])
    mean = {name: value.double() for name, value in model.state_dict().items() if value.is_floating_point()}
    for path in paths[1:]:
        other = load_checkpoint(path)
        different = [name for name, value in other.config.to_dict().items() if value != model.config.to_dict()[name]]
        if different:
            raise ModelError(f"{path}: {', '.join(different)} are not those of {paths[0]}, so no mean can be taken")
        for name, value in other.state_dict().items():
            if name in mean:
                mean[name] += value
    weights = {name: (total / len(paths)).to(torch.float32) for name, total in mean.items()}
    model.load_state_dict(weights, strict=False)
    return model
