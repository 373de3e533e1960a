"""One grey image that says for each pixel whose it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiseg.core.errors import Reason, TooLarge
from hiseg.core.image import Labels
from hiseg.core.result import CropMask

MAX_SMALL_LABELS = 255
"""Labels that a pixel of 8 bits has beside 0, which is the background."""
MAX_LABELS = 65_535
"""Labels that a pixel of 16 bits has beside 0; PNG has no larger grey pixels."""


def label_map(masks: Sequence[CropMask], width: int, height: int) -> Labels:
    """Draw masks into one label map.

    A pixel has room for one label only: where masks overlap, the smaller one is in front, of equals the first.

    Args:
        masks: one per person, lying inside the image.
        width: width of the image in pixels.
        height: height of the image in pixels.

    Returns:
        uint8 ``[height, width]``, or uint16 if there are more than :data:`MAX_SMALL_LABELS` masks: 0 is background, k
        the k-th mask, counted from 1.

    Raises:
        TooLarge: there are more masks than labels.
    """
    if len(masks) > MAX_LABELS:
        raise TooLarge(
            f"a label map numbers at most {MAX_LABELS} people, not {len(masks)}",
            reason=Reason.ANSWER_TOO_LARGE,
            field="mask_format",
            limit=MAX_LABELS,
            value=len(masks),
        )
    shape = height, width
    is_small = len(masks) <= MAX_SMALL_LABELS
    labels: Labels = np.zeros(shape, dtype=np.uint8) if is_small else np.zeros(shape, dtype=np.uint16)
    for index in sorted(range(len(masks)), key=lambda k: (-masks[k].area, -k)):
        mask = masks[index]
        labels[mask.region][mask.pixels] = index + 1
    return labels
