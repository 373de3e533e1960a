"""Samples of one size become one batch."""

from __future__ import annotations

import numpy as np
import torch

from hiseg_training.crops.batch import CropSample, collate


def sample(value: int) -> CropSample:
    pixels = np.full((6, 4, 3), value, dtype=np.uint8)
    pixels[..., 1] += 1
    return CropSample(
        pixels, np.full((2, 6, 4), value % 2, dtype=np.uint8), value / 4, np.full((6, 4), value % 4, dtype=np.uint8)
    )


def test_samples_are_stacked_in_their_order_with_channels_last() -> None:
    batch = collate([sample(value) for value in (1, 2, 3)])
    assert batch.pixels.shape == (3, 3, 6, 4)
    assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
    assert batch.pixels[:, :, 2, 3].tolist() == [[value, value + 1, value] for value in (1, 2, 3)]
    assert batch.boxes[:, 1, 5, 0].tolist() == [1, 0, 1]
    assert batch.labels.dtype == torch.uint8
    assert batch.labels[:, 0, 3].tolist() == [1, 2, 3]
    assert batch.aspect.dtype == torch.float32
    assert batch.aspect.tolist() == [0.25, 0.5, 0.75]
