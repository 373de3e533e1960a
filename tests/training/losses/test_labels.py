"""Labels follow identities."""

from __future__ import annotations

import torch

from hiseg_training.losses.labels import three_class_labels


def test_the_target_is_the_one_the_crop_is_about() -> None:
    identities = torch.tensor([[[[0.0, 1.0, 2.0]]], [[[0.0, 1.0, 2.0]]]])
    labels = three_class_labels(identities, torch.tensor([1, 2]))
    assert labels.tolist() == [[[0, 1, 2]], [[0, 2, 1]]]
