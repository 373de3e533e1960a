"""Outlines for photos that have boxes only: a model that knows how to follow boxes draws them.

Its masks say who is where, so that people move with their pictures; what is learnt is how sure it was.
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
    """The same photos; everybody without an outline gets the model's, and their photos its :attr:`Photo.guess`."""
    found = list(photos)
    bare = [index for index, photo in enumerate(photos) if not photo.outlined]
    asked = [photos[index] for index in bare]
    boxes = [[person.box for person in photo.people] for photo in asked]
    for answer in tqdm(predict_photos(asked, boxes, runner, runner.images or 1), desc="outline", total=len(asked)):
        found[bare[answer.index]] = _outlined(asked[answer.index], answer)
    return found


def _outlined(photo: Photo, answer: PhotoPrediction) -> Photo:
    people, guess = [], foreground_probability(answer)
    for (mask, _), person in zip(full_masks(answer), photo.people, strict=True):
        if person.rle is None:
            drawn = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
            people.append(replace(person, rle=drawn, area=float(mask.sum())))
        else:
            guess[person.mask()] = 255
            people.append(person)
    return replace(photo, people=tuple(people), guess=cv2.imencode(".png", guess)[1].tobytes())
