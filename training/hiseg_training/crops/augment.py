"""How crops are augmented, and what is pasted into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.image import Pixels
from hiseg_training.config.model import BACKGROUND, OTHER, TARGET
from hiseg_training.crops.cut import Crop
from hiseg_training.data.augment import VISIBLE, Cutout, Rng, paste

LARGEST_TURN = 15.0
"""Degrees."""
THING_SIZES = (0.7, 0.5)
"""Median side of a pasted thing as a multiple of the person's, and spread of its logarithm: dogs, horses, birds."""
REDUCED = (1.5, 4.0)
"""Least and largest factor by which a crop is reduced and enlarged again."""


@dataclass(frozen=True)
class CropAugment:
    """How samples are augmented; shares are chances for each sample, 0..1.

    Attributes:
        paste: share in which somebody from another photo is pasted in front of the person, or beside.
        things: share in which an animal or a thing is.
        turn: spread of the angle by which crops are turned, in degrees; :data:`LARGEST_TURN` at most.
        flip: share that is mirrored.
        loose: share of boxes, the person's and others', that are loose.
        jitter: largest shift of a loose box's edge, as a share of its side.
        twin: share in which there is a second box of the same person.
        alone: share in which nothing is said of others' boxes.
        colour: strength of changes of colour, 0..1; see :func:`~hiseg_training.data.augment.random_colour`.
        reduced: share in which the person is as coarse as somebody far away.
    """

    paste: float = 0.35
    things: float = 0.15
    turn: float = 6.0
    flip: float = 0.5
    loose: float = 0.5
    jitter: float = 0.12
    twin: float = 0.05
    alone: float = 0.12
    colour: float = 1.0
    reduced: float = 0.1


class Cutouts(Protocol):
    """Where what is pasted comes from; the largest number of a random choice is ``len() - 1``."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Crop: ...


def add_pasted(rng: Rng, crop: Crop, config: CropAugment, people: Cutouts | None, things: Cutouts | None) -> Crop:
    """Return a crop with somebody, something, both or nothing pasted in; at least 40 % of the person stay visible.

    Args:
        rng: source of randomness.
        crop: of the person; it stays as it is.
        config: how often.
        people: crops of people who may be pasted, each by its target; their boxes become those of others.
        things: the same of animals and things, which become background. None or empty: there are none.
    """
    pasted = [
        (source, label, size)
        for source, label, size, share in (
            (people, OTHER, (1.0, 0.3), config.paste),
            (things, BACKGROUND, THING_SIZES, config.things),
        )
        if source and rng.random() < share
    ]
    if not pasted:
        return crop
    pixels, labels, others = crop.pixels.copy(), crop.labels.copy(), crop.others
    least = VISIBLE * np.count_nonzero(labels == TARGET)
    for source, label, size in pasted:
        cutout = _cutout(source[int(rng.integers(len(source)))])
        box = paste(rng, pixels, labels, TARGET, cutout, label, least, size, crop.scale)
        if box is not None and label == OTHER:
            others = np.concatenate([others, np.array([box], dtype=np.float32)])
    return crop._replace(pixels=pixels, labels=labels, others=others)


def _cutout(crop: Crop) -> Cutout:
    """Return the target of a crop, without what is around its box."""
    height, width = crop.labels.shape
    x1, y1 = np.maximum(np.floor(crop.box[:2]), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(crop.box[2:]), (width, height)).astype(int)
    inside = np.s_[y1:y2, x1:x2]
    return Cutout(crop.pixels[inside], np.equal(crop.labels[inside], TARGET).view(np.uint8), crop.scale)


def random_turn(rng: Rng, config: CropAugment, scale: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Draw the linear map, float64 ``[2, 2]``, from pixels of a crop to those of its photo, turned and mirrored.

    Args:
        rng: source of randomness.
        config: how far and how often.
        scale: float ``[2]``, pixels of the photo that are one of the crop, across and down.
    """
    degrees = np.clip(rng.normal(0, config.turn), -LARGEST_TURN, LARGEST_TURN)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    flip = -1.0 if rng.random() < config.flip else 1.0
    return np.array([[cos * flip, -sin], [sin * flip, cos]]) * scale


def reduce_and_enlarge(rng: Rng, pixels: Pixels) -> Pixels:
    """Return uint8 ``[h, w, 3]`` as it looks at a fraction of its resolution; see :data:`REDUCED`."""
    height, width = pixels.shape[:2]
    factor = rng.uniform(*REDUCED)
    small = cv2.resize(pixels, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
