"""Lightning, imported in one place because it needs torchvision's operators declared before it is loaded."""

from __future__ import annotations

from hiseg_training.models.torchvision_shim import declare_missing_operators

declare_missing_operators()

import lightning  # noqa: E402
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO  # noqa: E402
from lightning.pytorch.callbacks import EarlyStopping, TQDMProgressBar, WeightAveraging  # noqa: E402
from lightning.pytorch.loggers import TensorBoardLogger  # noqa: E402
from lightning.pytorch.strategies import DDPStrategy  # noqa: E402

__all__ = [
    "DDPStrategy",
    "EarlyStopping",
    "TQDMProgressBar",
    "TensorBoardLogger",
    "TorchCheckpointIO",
    "WeightAveraging",
    "lightning",
]
