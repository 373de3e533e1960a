"""The average of the weights, and the names of checkpoints."""

from __future__ import annotations

import pytest
import torch

from hiseg_training.engine.callbacks import DISTILLATION, FOREGROUND, INSTANCES, moving_average


def test_an_average_remembers_more_the_longer_a_run_is() -> None:
    update = moving_average(0.9)
    for steps, decay in ((0, 0.1), (10, 11 / 20), (10_000, 0.9)):
        averaged, counter = torch.tensor([1.0]), torch.tensor(3)
        update([averaged, counter], [torch.tensor([0.0]), torch.tensor(7)], steps)
        assert averaged.item() == pytest.approx(decay)
        assert counter == 7, "integers are copied"


def test_checkpoints_have_upstreams_names() -> None:
    names = [naming.epoch(42, 0.8123, (640, 480)) for naming in (INSTANCES, FOREGROUND, DISTILLATION)]
    assert names == [
        "checkpoint_epoch_0042_640x480_0812.pth",
        "foreground_epoch_0042_640x480_0812.pth",
        "distillation_epoch_042.pth",
    ]
