"""Drawn photos, and models that know the truth about them, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hiseg.core.canvas import Resize
from hiseg.core.image import Floats, Pixels
from hiseg_training.data.coco import Photo, read_annotations
from hiseg_training.evaluation.iou import label_grid
from hiseg_training.evaluation.scores import jittered_boxes
from hiseg_training.inference.runner import Runner
from tests.training.drawing import HEIGHT, WIDTH

GRID = (128, 96)


@pytest.fixture(scope="session")
def photos(drawn: Path) -> list[Photo]:
    return read_annotations(
        drawn / "annotations" / "instances_val2017_person_only_no_crowd.json", drawn / "images" / "val2017"
    )


@pytest.fixture(scope="session")
def oracle(photos: list[Photo]) -> Runner:
    """Knows every photo by its pixels, and says what is true in true boxes."""
    known = {photo.pixels().transpose(2, 0, 1).tobytes(): index for index, photo in enumerate(photos)}

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        masks, foreground = [], []
        for image in images:
            photo = photos[known[image.tobytes()]]
            anybody = photo.identities() > 0
            foreground.append(anybody[None].astype(np.float32))
            for person, box in zip(photo.people, jittered_boxes([photo], 0.0)[0], strict=True):
                labels = label_grid(box, person.mask(), anybody, GRID)
                masks.append((np.arange(3)[:, None, None] == labels) * np.float32(10))
        return np.stack(masks), np.stack(foreground)

    return Runner(((HEIGHT, WIDTH),), Resize.LETTERBOX, predict)


@pytest.fixture(scope="session")
def blind() -> Runner:
    """Sees nobody anywhere."""

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        return np.zeros((len(rois), 1, *GRID), np.float32), np.zeros((len(images), 1, *images.shape[2:]), np.float32)

    return Runner(((HEIGHT, WIDTH),), Resize.LETTERBOX, predict)
