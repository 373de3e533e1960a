"""Work that stands for nobody's photo: what tries or times a model needs pictures and boxes of any kind."""

from __future__ import annotations

import numpy as np

from hiseg.core.canvas import Size
from hiseg.core.image import Floats
from hiseg.engines.base import Batch, BatchMeta, RequestedOutputs


def random_rois(rng: np.random.Generator, people: int, images: int = 1) -> Floats:
    """RoIs ``[people, 5]`` of any sizes; so many images take turns as their owners."""
    corners = np.sort(rng.uniform(0, 1, (people, 2, 2)), axis=1).reshape(people, 4)
    return np.concatenate([np.arange(people)[:, None] % images, corners], axis=1).astype(np.float32)


def noise(
    canvas: Size, images: int, people: int, requested: RequestedOutputs = RequestedOutputs.BOTH, seed: int = 0
) -> Batch:
    """A batch of them: canvases (height, width) of noise, uint8, with so many people on all of them together."""
    rng = np.random.default_rng(seed)
    rois = random_rois(rng, people, images)
    return Batch(rng.integers(0, 256, (images, 3, *canvas), dtype=np.uint8), rois, BatchMeta(requested))
