"""People without their background: the image's own pixels, transparent where no mask is, or where the image was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiseg.core.image import BoolMask, Image, Pixels
from hiseg.core.result import CropMask

MAX_CUTOUT_PIXELS = 50_000_000
"""Upper limit of the pixels that all cut-outs of one answer have together: crops overlap, so those of a crowd have more
pixels than the image."""
OPAQUE = 255
STRIP_PIXELS = 2**16
"""Pixels whose colours are taken off the white that they were laid on at once: it takes about 20 bytes each."""


def cutout(image: Image, mask: CropMask) -> Pixels:
    """Cut one person out of an image.

    Args:
        image: the whole image.
        mask: the person, lying inside the image.

    Returns:
        RGBA uint8 ``[h, w, 4]`` of the size of the mask's crop: as opaque as the image was before it was laid on white.
        Transparent pixels are black, so that no background is hidden in them.
    """
    drawn = np.zeros((*mask.pixels.shape, 4), dtype=np.uint8)
    _copy_person(drawn, image, mask)
    return drawn


def cutouts(image: Image, masks: Sequence[CropMask]) -> Pixels:
    """Cut several people out of an image and leave them where they are.

    Args:
        image: the whole image.
        masks: the people, lying inside the image.

    Returns:
        RGBA uint8 ``[H, W, 4]``; see :func:`cutout`.
    """
    drawn = np.zeros((image.height, image.width, 4), dtype=np.uint8)
    for mask in masks:
        _copy_person(drawn[mask.region], image, mask)
    return drawn


def _copy_person(target: Pixels, image: Image, mask: CropMask) -> None:
    """Copy a person to RGBA ``[h, w, 4]`` of the crop's size, in place, where the mask is."""
    person = mask.pixels
    np.copyto(target[:, :, :3], image.pixels[mask.region], where=person[:, :, None])
    if image.alpha is None:
        target[:, :, 3][person] = OPAQUE
        return
    np.copyto(target[:, :, 3], image.alpha[mask.region], where=person)
    rows = max(1, STRIP_PIXELS // max(1, person.shape[1]))
    for top in range(0, len(person), rows):
        strip = slice(top, top + rows)
        _take_off_white(target[strip], person[strip])


def _take_off_white(rgba: Pixels, person: BoolMask) -> None:
    """Give half transparent pixels of RGBA ``[h, w, 4]``, in place, the colours from before they were laid on white.

    What lies on white is ``c * a + 255 * (1 - a)``. Where little of it is opaque, little is known of ``c``, and as
    little of it is seen.
    """
    alpha = rgba[:, :, 3:].astype(np.float32)
    half = person & (rgba[:, :, 3] < OPAQUE)
    colours = OPAQUE - (OPAQUE - rgba[:, :, :3].astype(np.float32)) * (OPAQUE / np.maximum(alpha, 1))
    colours[alpha[:, :, 0] == 0] = 0
    np.copyto(rgba[:, :, :3], np.rint(np.clip(colours, 0, OPAQUE)).astype(np.uint8), where=half[:, :, None])
