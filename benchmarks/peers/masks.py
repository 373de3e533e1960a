"""The work of one request, done by every server with hiseg's own functions, so that only the serving differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.api.boxes import to_boxes
from hiseg.core.box import Box
from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.core.image import Floats, Pixels, Size
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.onnx import OnnxEngine
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits
from hiseg.masks.formats.rle import coco_rle
from hiseg.masks.logits import crop_mask
from hiseg.models.repository import stored_versions

REPOSITORY = Path(__file__).parents[2] / "model_repository"
LIMITS = ImageLimits(10**8, 10**8)
PATH = "/v1/segment"
INSIDE = 32
"""Requests that a server which can bound them takes at once: about a second of work."""
DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class Input:
    """An image on its canvas: uint8 ``[3, H, W]``, and float32 ``[N, 4]`` rows in 0..1 of it."""

    width: int
    height: int
    boxes: list[Box]
    canvas: Pixels
    rois: Floats

    @property
    def size(self) -> Size:
        return self.canvas.shape[1], self.canvas.shape[2]


class Masks:
    """The model, and the way from bytes to an answer."""

    def __init__(self, threads: int) -> None:
        newest = stored_versions(REPOSITORY)["hiseg_b0"][0]
        self._engine = OnnxEngine(newest.path, newest.name, newest.version, threads)

    def prepare(self, image: bytes, query: str) -> Input:
        """A JPEG and its boxes, ``x1,y1,x2,y2;…`` -> what the model takes."""
        picture = inspect(image, LIMITS)
        placement = choose_canvas(picture.height, picture.width, self._engine.info.canvases)
        rows = [tuple(float(number) for number in row.split(",")) for row in query.split(";")]
        boxes = [box.clipped(picture.width, picture.height) for box in to_boxes(rows, 0, 0)]
        canvas = to_canvas(picture.decode().pixels, placement)
        return Input(picture.width, picture.height, boxes, canvas, placement.rois(boxes))

    def run(self, inputs: Sequence[Input]) -> list[Floats]:
        """Margins ``[N, mh, mw]`` of each input, in one batch for each canvas."""
        groups: defaultdict[Size, list[int]] = defaultdict(list)
        for index, given in enumerate(inputs):
            groups[given.size].append(index)
        found: list[Floats] = [np.empty(0, np.float32)] * len(inputs)
        for indices in groups.values():
            chosen = [inputs[index] for index in indices]
            rois = [np.insert(given.rois, 0, place, axis=1) for place, given in enumerate(chosen)]
            images, rows = np.stack([given.canvas for given in chosen]), np.concatenate(rois).astype(np.float32)
            batch = Batch(images, rows, BatchMeta(Outputs.MASKS))
            ends = np.cumsum([len(given.rois) for given in chosen])[:-1]
            for index, part in zip(indices, np.split(self._engine.run(batch).logit_margins, ends), strict=True):
                found[index] = part
        return found

    def answer(self, given: Input, logit_margins: Floats) -> dict[str, Any]:
        """hiseg's answer, as far as it is about masks."""
        instances = []
        for box, margin in zip(given.boxes, logit_margins, strict=True):
            seen = box.scaled(self._engine.info.crop_scale)
            mask, score = crop_mask(margin, seen, given.width, given.height)
            rle = {"format": "coco_rle", **coco_rle(mask, given.width, given.height)}
            instances.append(
                {"box": box.as_tuple(), "score": score, "area": int(np.count_nonzero(mask.pixels)), "mask": rle}
            )
        return {"image": {"width": given.width, "height": given.height}, "instances": instances}

    def one(self, image: bytes, query: str) -> dict[str, Any]:
        """All of it for one request."""
        given = self.prepare(image, query)
        return self.answer(given, self.run([given])[0])

    def many(self, requests: Sequence[tuple[bytes, str]]) -> list[dict[str, Any]]:
        """All of it for a batch of requests."""
        inputs = [self.prepare(image, query) for image, query in requests]
        return [
            self.answer(given, logit_margins) for given, logit_margins in zip(inputs, self.run(inputs), strict=True)
        ]
