"""Random batches and boxes, for whatever tests, warms up or times a model without needing real images."""

from __future__ import annotations

import numpy as np

from hiseg.core.image import Floats, Size
from hiseg.engines.base import Batch, BatchMeta, Outputs


def random_rois(rng: np.random.Generator, people: int, images: int = 1) -> Floats:
    """Random RoIs of any size, float32 ``[people, 5]``; they belong to the images of a batch in turn."""
    corners = np.sort(rng.uniform(0, 1, (people, 2, 2)), axis=1).reshape(people, 4)
    return np.concatenate([np.arange(people)[:, None] % images, corners], axis=1).astype(np.float32)


def random_batch(canvas: Size, images: int, people: int, requested: Outputs, seed: int = 0) -> Batch:
    """A batch of noise: uint8 images ``[images, 3, height, width]`` and RoIs ``[people, 5]``, the same for each seed.

    Args:
        canvas: (height, width) of the images.
        images: number of images.
        people: number of RoIs on all images together.
        requested: outputs that the batch asks for.
        seed: seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    rois = random_rois(rng, people, images)
    return Batch(rng.integers(0, 256, (images, 3, *canvas), dtype=np.uint8), rois, BatchMeta(requested))
