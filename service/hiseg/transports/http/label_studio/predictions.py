"""Predictions in Label Studio's format: masks become brush regions, written as JSON one at a time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from hiseg.core.errors import HisegError
from hiseg.core.result import Instance, Result
from hiseg.core.stop import Stop
from hiseg.masks.formats.brush_rle import brush_rle
from hiseg.transports.http.label_studio.labelling import ImageTag, Labelling
from hiseg.transports.http.label_studio.rectangles import Drawn

TURNS = (90, 180, 270)


class Prediction:
    """The prediction of a task, to which the regions of each of its images are added.

    Args:
        notes: what is to be said of it already.
    """

    def __init__(self, notes: Sequence[str] = ()) -> None:
        self.notes = list(notes)
        self.model_version = ""
        self._regions: list[bytes] = []
        self._scores: list[float] = []

    def add(
        self, result: Result, drawn: Sequence[Drawn], image: ImageTag, item: int, labelling: Labelling, stop: Stop
    ) -> None:
        """Add a brush region for each rectangle with a person in it.

        Args:
            result: the masks, one for each rectangle.
            drawn: the rectangles.
            image: the tag of the image that they are on.
            item: number of the image, if the tag has several.
            labelling: the project's tags.
            stop: looked at before each region.

        Raises:
            Exception: what :meth:`Stop.check` raises.
        """
        self.model_version = model_version(result)
        self.notes += result.notes
        for instance, rectangle in zip(result.instances, drawn, strict=True):
            if not instance.area:
                continue
            stop.check()
            choice = labelling.choose(image.name, rectangle.from_name, rectangle.labels)
            if choice.instead_of:
                self.notes.append(
                    f"{rectangle.name}: there is no label {choice.instead_of!r} for masks; {choice.label!r} is taken"
                )
            region = _region(instance, rectangle, result) | ({"item_index": item} if image.is_list else {})
            region |= {"to_name": image.name, "from_name": choice.brush.name, "type": choice.brush.kind}
            if choice.label is not None and choice.control is choice.brush:
                region["value"][choice.brush.kind] = [choice.label]
            # One at a time: Python's numbers take more memory than their text, and json gives nobody else a turn.
            self._regions.append(_to_json(region))
            if choice.label is not None and choice.control and choice.control is not choice.brush:
                labels = {"from_name": choice.control.name, "type": choice.control.kind}
                value = region["value"] | {choice.control.kind: [choice.label]}
                self._regions.append(_to_json(region | labels | {"value": value}))
            self._scores.append(instance.score)

    def to_json(self) -> bytes:
        """The prediction as JSON; ``notes`` is there only if something is to be said."""
        score = sum(self._scores) / len(self._scores) if self._scores else 0.0
        head: dict[str, Any] = {"model_version": self.model_version, "score": score}
        if self.notes:
            head["notes"] = self.notes
        return b'%b,"result":[%b]}' % (_to_json(head)[:-1], b",".join(self._regions))


def failed(error: HisegError) -> bytes:
    """What stands in place of a prediction that isn't there: without a ``result`` Label Studio drops all of them."""
    return _to_json({"score": 0.0, "error": error.detail, "reason": error.reason, "result": []})


def model_version(result: Result) -> str:
    """The model that answered, as Label Studio is told of it."""
    return f"{result.model.name} {result.model.version}"


def _region(instance: Instance, drawn: Drawn, result: Result) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex[:10],
        "original_width": result.width,
        "original_height": result.height,
        "image_rotation": drawn.region.image_rotation if drawn.region.image_rotation in TURNS else 0,
        "score": instance.score,
        "value": {"format": "rle", "rle": brush_rle(instance.mask, result.width, result.height)},
    }


def _to_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
