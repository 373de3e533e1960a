"""The canary image: a photo with known masks, which a model must give before it counts as ready.

A model that gives the foreground alone has a canary without boxes: its label map has one label, of everybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from hiseg.api.embedded import segment_embedded
from hiseg.api.options import Options
from hiseg.core.errors import InvalidRequest, TooLarge, UndecodableImage, UnsupportedImage
from hiseg.core.image import ImageSource, Labels
from hiseg.core.job import Mode
from hiseg.core.result import Result
from hiseg.core.stop import Stop
from hiseg.engines.metadata import one_line
from hiseg.masks.formats.label_map import label_map
from hiseg.masks.formats.png import encode_png
from hiseg.segmenter import Segmenter

MIN_IOU = 0.99
"""Least IoU of each mask with the stored one."""
MIN_IOU_INT8 = 0.97
"""The same for a model in INT8: the stored masks may be those of another precision, and processors round differently.
Masks of the published models had 0.996."""
PHOTO, BOXES, MASKS = "canary.jpg", "canary.json", "canary.png"


class CanaryMismatch(Exception):
    """A model's masks of the canary image differ from those that it was published with; the text says by how much."""


@dataclass(frozen=True, slots=True)
class Canary:
    """The canary image of one model version, stored beside its file.

    Attributes:
        photo: the image as JPEG.
        boxes: ``x1 y1 x2 y2`` of each person, in pixels; none of a model without masks.
        masks: uint8 ``[H, W]``, the label map of the expected masks: 1 for the first box, 2 for the second; without
            boxes 1 for everybody.
    """

    photo: bytes
    boxes: list[list[float]]
    masks: Labels

    @classmethod
    def load(cls, folder: Path) -> Canary | None:
        """Read the canary from the folder of a model version; None if there is none.

        Raises:
            CanaryMismatch: there is one that can't be read.
        """
        if not (folder / PHOTO).exists():
            return None
        try:
            with PIL.Image.open(folder / MASKS) as image:
                masks = np.asarray(image)
            boxes = np.array(json.loads((folder / BOXES).read_text()) or np.zeros((0, 4)), dtype=float)
            photo = (folder / PHOTO).read_bytes()
        except Exception as error:  # Pillow raises nearly anything
            raise CanaryMismatch(f"{folder}: the canary image can't be read: {one_line(error)}") from error
        if masks.ndim != 2 or boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
            raise CanaryMismatch(f"{folder}: the canary image has no label map, or no boxes of four numbers")
        return cls(photo, boxes.tolist(), masks)

    def save(self, folder: Path) -> None:
        """Write the canary into the folder of a model version."""
        (folder / PHOTO).write_bytes(self.photo)
        (folder / BOXES).write_text(json.dumps(self.boxes) + "\n")
        (folder / MASKS).write_bytes(encode_png(self.masks))

    async def check(self, segmenter: Segmenter, model: str) -> None:
        """Segment the canary as any request would be, and compare the masks.

        Args:
            segmenter: runs the model.
            model: name of the model.

        Raises:
            CanaryMismatch: a mask has an IoU under 0.99 (in INT8: 0.97) with the stored one, or the settings don't let
                the image in.
        """
        least = MIN_IOU_INT8 if segmenter.batchers[model].engine.info.ref.precision == "int8" else MIN_IOU
        try:
            found = await segment_to_label_map(segmenter, model, self.photo, self.boxes)
        except (InvalidRequest, TooLarge, UndecodableImage, UnsupportedImage) as error:
            raise CanaryMismatch(f"{model}: the canary image is refused as any request would be: {error}") from error
        for label in range(1, max(1, len(self.boxes)) + 1):
            stored, now = self.masks == label, found == label
            union = int((stored | now).sum())
            iou = int((stored & now).sum()) / union if union else 1.0  # both find nobody in the box
            if iou < least:
                raise CanaryMismatch(
                    f"{model}: mask {label} of the canary image has IoU {iou:.3f} with the stored one; "
                    f"at least {least} is ready"
                )


async def segment_to_label_map(segmenter: Segmenter, model: str, photo: bytes, boxes: list[list[float]]) -> Labels:
    """Segment an encoded image, and return the label map of its boxes, or without boxes that of its foreground."""

    def write(_: ImageSource, result: Result, stop: Stop) -> Labels:
        return label_map(result.masks, result.width, result.height)

    options = Options(mode=Mode.INSTANCE if boxes else Mode.BINARY)
    _, labels = await segment_embedded(segmenter, photo, boxes, options, model, write)
    return labels
