"""Pseudo-labels: an instance model draws the masks of people who are annotated with boxes only.

The masks place people, so that augmentation can move them; the loss learns the model's probability, not the hard mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from hiseg_training.data.coco import Photo
from hiseg_training.inference.batches import PhotoPrediction, predict_photos
from hiseg_training.inference.masks import foreground_probability, full_masks
from hiseg_training.inference.runner import Runner


def add_pseudo_labels(photos: Sequence[Photo], runner: Runner) -> list[Photo]:
    """Return the photos with a predicted mask for everybody who has none, and the foreground in :attr:`Photo.guess`.

    Photos whose people all have masks are returned as they are.

    Raises:
        ValueError: the model predicts no masks.
    """
    if not runner.has_masks:
        raise ValueError("pseudo_labels: the model gives the foreground alone, and no masks")
    found = list(photos)
    bare = [index for index, photo in enumerate(photos) if not photo.outlined]
    unlabelled = [photos[index] for index in bare]
    boxes = [[person.box for person in photo.people] for photo in unlabelled]
    predictions = predict_photos(unlabelled, boxes, runner, runner.images or 1)
    for prediction in tqdm(predictions, desc="outline", total=len(unlabelled)):
        found[bare[prediction.index]] = _label(unlabelled[prediction.index], prediction)
    return found


def _label(photo: Photo, prediction: PhotoPrediction) -> Photo:
    """Fill a photo's missing masks from a prediction; where a true mask is known, the foreground is certain."""
    people, guess = [], foreground_probability(prediction)
    for (mask, _), person in zip(full_masks(prediction), photo.people, strict=True):
        if person.rle is None:
            drawn = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
            people.append(replace(person, rle=drawn, area=float(mask.sum())))
        else:
            guess[person.mask()] = 255
            people.append(person)
    return replace(photo, people=tuple(people), guess=cv2.imencode(".png", guess)[1].tobytes())
