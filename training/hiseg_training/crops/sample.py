"""Makes samples of crops: augmented ones to learn from, and plain ones at the true boxes to be measured on."""

from __future__ import annotations

import numpy as np

from hiseg.core.image import Size
from hiseg_training.config.model import TYPICAL_ASPECT
from hiseg_training.crops.augment import CropAugment, Cutouts, add_pasted, random_turn, reduce_and_enlarge
from hiseg_training.crops.batch import CropSample
from hiseg_training.crops.cut import Crop
from hiseg_training.crops.view import Array, View, box_maps, other_boxes, turned, turned_bounds
from hiseg_training.data.augment import Rng, jitter_boxes, random_colour

TWIN_JITTER = 0.25
"""Largest shift of a second box's edge, as a share of its side: most such boxes overlap the first by 0.5 to 0.9."""


def plain_sample(crop: Crop, size: Size, context: float) -> CropSample:
    """Return a sample of a crop as it is, at its own box, with all others' boxes.

    Args:
        crop: of the person.
        size: (height, width) of the sample.
        context: side of what it shows as a multiple of the box's.
    """
    linear = np.diag(crop.scale).astype(np.float64)
    boxes = turned(np.concatenate([crop.box[None], crop.others]), linear)
    return _sample(crop, linear, boxes[0], boxes[1:], size, context)


def augmented_sample(
    rng: Rng,
    crop: Crop,
    size: Size,
    context: float,
    config: CropAugment,
    people: Cutouts | None = None,
    things: Cutouts | None = None,
) -> CropSample:
    """Return a random sample of a crop.

    Args:
        rng: source of randomness.
        crop: of the person.
        size: (height, width) of the sample.
        context: side of what it shows as a multiple of the box's.
        config: what is done to it.
        people: crops of people who may be pasted in front; None for nobody.
        things: crops of things that may be; None for nothing.
    """
    crop = add_pasted(rng, crop, config, people, things)
    linear = random_turn(rng, config, crop.scale)
    own = turned_bounds(crop.labels, linear)
    boxes = np.concatenate([own[None], turned(crop.others, linear)])
    frame = turned(crop.frame[None], linear, round_ones=False)[0]
    loose = rng.random((len(boxes), 1)) < config.loose
    given = np.where(loose, jitter_boxes(rng, boxes, config.jitter, frame), boxes)
    others = given[1:]
    if rng.random() < config.alone:
        others = others[:0]
    elif rng.random() < config.twin:
        others = np.concatenate([others, jitter_boxes(rng, own[None], TWIN_JITTER, frame)])
    sample = _sample(crop, linear, given[0], others, size, context)
    pixels = reduce_and_enlarge(rng, sample.pixels) if rng.random() < config.reduced else sample.pixels
    return sample._replace(pixels=random_colour(rng, pixels, config.colour))


def _sample(crop: Crop, linear: Array, own: Array, others: Array, size: Size, context: float) -> CropSample:
    """Return what a crop shows of a box; boxes are in pixels of the photo, turned as ``linear`` does."""
    view = View.around(own, linear, size, context)
    pixels, labels = view.sample(crop.pixels, crop.labels, size)
    maps = box_maps(view.place(own), view.place(other_boxes(own, others)), size)
    across, down = np.maximum(own[2:] - own[:2], 1)
    return CropSample(pixels, maps, float(np.log(down / across)) - TYPICAL_ASPECT, labels)
