"""The answer to a request, the same for both transports, and its conversion to the types of other libraries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hiseg.client.images import ImageLike, to_upright_rgb
from hiseg.client.rle import decode, decode_crop
from hiseg.core import result as core_result
from hiseg.core.box import Box
from hiseg.core.extras import needing
from hiseg.core.image import BoolMask, Pixels
from hiseg.core.result import CropMask, Found, ModelRef

SLACK = 1e-6
"""Pixels added to a corner for FiftyOne: it truncates when it converts shares to pixels, so 9.999999 would become 9."""


@dataclass(frozen=True)
class Instance:
    """One box and the person in it; or, in binary mode, the whole image and everybody.

    Attributes:
        box: ``x1 y1 x2 y2`` in pixels, clipped to the image.
        score: mean probability of the mask's pixels, 0..1; 0 if the mask is empty. Of a union it is the mean of the
            scores of the masks, weighted by their areas.
        area: number of the mask's pixels.
        counts: the mask in COCO's compressed run-length encoding.
        size: height and width of the image, pixels.
        found: that the box wasn't sent but found, and how surely: ``found.score``, 0..1; None: it was sent.
    """

    box: tuple[float, float, float, float]
    score: float
    area: int
    counts: str = field(repr=False)
    size: tuple[int, int]
    found: Found | None = None

    @cached_property
    def mask(self) -> BoolMask:
        """The mask, bool ``[H, W]`` of the image; decoded when it is first used, and kept."""
        return decode(self.counts, *self.size)

    @cached_property
    def crop(self) -> CropMask:
        """The smallest crop that holds the whole mask: ``left``, ``top`` and ``pixels``; it takes little memory."""
        return decode_crop(self.counts, *self.size)

    def in_box(self) -> tuple[int, int, BoolMask]:
        """Return the crop that holds the whole box and the whole mask, neither of which need be inside the other.

        Returns:
            Left and top in image pixels, and the mask there: bool ``[h, w]``.
        """
        crop, (x1, y1, x2, y2) = self.crop, self.box
        left, top, right, bottom = math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)
        rows, columns = crop.pixels.shape
        if crop.pixels.size:
            left, top = min(left, crop.left), min(top, crop.top)
            right, bottom = max(right, crop.left + columns), max(bottom, crop.top + rows)
        pixels = np.zeros((bottom - top, right - left), np.bool_)
        if crop.pixels.size:
            pixels[crop.top - top : crop.top - top + rows, crop.left - left : crop.left - left + columns] = crop.pixels
        return left, top, pixels

    @property
    def rle(self) -> dict[str, Any]:
        """The mask as pycocotools takes it."""
        return {"size": list(self.size), "counts": self.counts}


@dataclass(frozen=True)
class Result:
    """The answer to one image.

    Attributes:
        width: width of the image after EXIF rotation, pixels.
        height: height of the image after EXIF rotation, pixels.
        notes: what the service did to read the image: took the first frame, put transparency on white, …; and which
            boxes have no pixel of it in them.
        model: the model that answered.
        instances: one per box, in the order sent, also where the mask is empty, then one per person found, the surest
            first; none in binary mode.
        foreground: the mask of everybody at once; binary mode only.
        timings_ms: milliseconds that the service spent, by stage: decode, queue, find, infer, masks, encode.
        foreground_source: what the foreground was made of, in binary mode: ``instances``, the union of the masks of the
            boxes, or ``image``, the image as a whole; None if the service is too old to say.
        finder: the model that looked for people; None: none did.
    """

    width: int
    height: int
    notes: tuple[str, ...]
    model: ModelRef
    instances: tuple[Instance, ...]
    foreground: Instance | None
    timings_ms: Mapping[str, float]
    foreground_source: str | None = None
    finder: ModelRef | None = None

    @property
    def found(self) -> tuple[Instance, ...]:
        """The instances; in binary mode the foreground alone."""
        return self.instances if self.foreground is None else (self.foreground,)

    def to_supervision(self) -> Any:
        """Convert to ``supervision.Detections``: boxes, full-size masks, scores as confidences; class 0 is the person.

        Raises:
            ImportError: supervision isn't installed.
        """
        try:
            import supervision  # type: ignore[import-not-found]
        except ImportError as error:
            raise ImportError("to_supervision() needs the package supervision: pip install supervision") from error
        found = self.found
        masks = np.zeros((len(found), self.height, self.width), dtype=np.bool_)
        for index, instance in enumerate(found):
            masks[index] = instance.mask
        return supervision.Detections(
            xyxy=np.array([instance.box for instance in found], dtype=np.float32).reshape(-1, 4),
            mask=masks,
            confidence=np.array([instance.score for instance in found], dtype=np.float32),
            class_id=np.zeros(len(found), dtype=np.int64),
        )

    def to_fiftyone(self, label: str = "person") -> Any:
        """``fiftyone.Detections``: a mask each, relative to the box.

        The box is ours grown to whole pixels, and to the mask where that goes beyond it. Where there are no pixels of
        the image in it, the mask is one pixel of background.

        Raises:
            ImportError: FiftyOne isn't installed.
        """
        try:
            import fiftyone  # type: ignore[import-not-found]
        except ImportError as error:
            raise ImportError("to_fiftyone() needs the package fiftyone: pip install fiftyone") from error
        detections = []
        for instance in self.found:
            left, top, mask = instance.in_box()
            rows, columns = mask.shape
            corner = (left + SLACK) / self.width, (top + SLACK) / self.height
            sides = columns / self.width, rows / self.height
            detections.append(
                fiftyone.Detection(
                    label=label,
                    bounding_box=[*corner, *sides],
                    mask=mask if mask.size else np.zeros((1, 1), np.bool_),
                    confidence=float(instance.score),
                )
            )
        return fiftyone.Detections(detections=detections)

    def to_datumaro(self, item_id: str, path: str = "", label: int = 0) -> Any:
        """Convert to a ``datumaro.DatasetItem`` with one ``RleMask`` for each instance.

        Args:
            item_id: name of the item in the dataset.
            path: path of the image's file; it isn't read. Without one a file is named after the item when saved.
            label: the person's number among the dataset's categories.

        Raises:
            ImportError: Datumaro isn't installed.
        """
        try:
            from datumaro import DatasetItem, Image, RleMask  # type: ignore[import-not-found]
        except ImportError as error:
            raise ImportError("to_datumaro() needs the package datumaro: pip install datumaro") from error
        masks = [
            RleMask(
                {"size": list(instance.size), "counts": instance.counts.encode()},
                label=label,
                id=index,
                group=index,
                attributes={"score": instance.score},
            )
            # Group 0 is no group.
            for index, instance in enumerate(self.found, start=1)
        ]
        media = Image.from_file(path=path or f"{item_id}.jpg", size=(self.height, self.width))
        return DatasetItem(id=item_id, media=media, annotations=masks)

    def to_coco(self, image_id: int, category_id: int = 1) -> list[dict[str, Any]]:
        """Convert to rows of COCO's results format for segmentation, as ``COCO.loadRes`` takes them; person is 1."""
        return [
            {
                "image_id": image_id,
                "category_id": category_id,
                "segmentation": instance.rle,
                "score": instance.score,
            }
            for instance in self.found
        ]

    def overlay(self, image: ImageLike) -> Pixels:
        """Draw the masks on a copy of the image: RGB, uint8 ``[H, W, 3]``.

        Raises:
            TypeError: it is a raw frame, or no image.
            ValueError: the image has another size than the one that was segmented.
            ExtraMissing: OpenCV, or a decoder, isn't installed: a client that draws nothing needs neither.
        """
        with needing("overlay()"):
            from hiseg.masks.formats.overlay import overlay
        pixels = to_upright_rgb(image)
        if pixels.shape[:2] != (self.height, self.width):
            raise ValueError(
                f"the image has {pixels.shape[1]} x {pixels.shape[0]} pixels; the one asked about had "
                f"{self.width} x {self.height}"
            )
        drawn = [core_result.Instance(Box(*instance.box), instance.crop, instance.score) for instance in self.found]
        return overlay(pixels, drawn)
