"""Writes a prediction as image files, under the names that upstream (PINTO0309's human-instance-segmentation) uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hiseg.core.image import Floats, Pixels
from hiseg_training.inference.batches import PhotoPrediction
from hiseg_training.inference.draw import draw_foreground, draw_people, soft_masks
from hiseg_training.inference.masks import foreground


@dataclass(frozen=True)
class DrawOptions:
    """What is drawn and written.

    Attributes:
        binary: draw the foreground instead of each person.
        alpha: opacity of the tint, 0..1.
        threshold: least probability of a person's pixels, 0..1.
        masks: write masks and probabilities too.
    """

    binary: bool = False
    alpha: float = 0.5
    threshold: float = 0.01
    masks: bool = False


def save(prediction: PhotoPrediction, stem: str, options: DrawOptions, folder: Path) -> Path:
    """Write ``<stem>_segmented.png`` or ``<stem>_binary.png`` and return its path.

    With ``options.masks`` there is a folder beside it, ``<stem>_segmented_masks`` with ``instance_<k>_mask.png`` and
    ``instance_<k>_probs.png``, k from 0 in the boxes' order, or ``<stem>_binary_masks`` with ``foreground_mask.png``
    and ``foreground_probs.png``: grey, of the photo's size, 0..255 for 0..1.
    """
    height, width = prediction.pixels.shape[:2]
    layers: dict[str, tuple[Floats, Floats]] = {}
    if options.binary:
        probability = foreground(prediction)
        drawn = draw_foreground(prediction.pixels, probability, options.alpha)
        layers["foreground"] = (probability > 0.5).astype(np.float32), probability
    else:
        people = soft_masks(prediction.masks, prediction.regions, width, height, options.threshold)
        drawn = draw_people(prediction.pixels, people, options.alpha)
        for k, person in enumerate(people):
            mask = (person.distance > 0).astype(np.float32)
            parts = (person.on_photo(part, width, height) for part in (mask, person.probability))
            layers[f"instance_{k}"] = next(parts), next(parts)
    path = folder / f"{stem}_{'binary' if options.binary else 'segmented'}.png"
    _write(path, drawn[:, :, ::-1])
    if options.masks:
        for name, (mask, probability) in layers.items():
            _write(path.with_name(f"{path.stem}_masks") / f"{name}_mask.png", _grey(mask))
            _write(path.with_name(f"{path.stem}_masks") / f"{name}_probs.png", _grey(probability))
    return path


def _grey(values: Floats) -> Pixels:
    """Convert 0..1 to uint8 0..255."""
    return np.asarray(np.round(np.clip(values, 0, 1) * 255), dtype=np.uint8)


def _write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
