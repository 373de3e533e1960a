"""A function for CVAT's automatic annotation, to be given to ``cvat-cli``: boxes in, masks out.

CVAT gives a detection function images, not what is drawn on them. So the boxes come from a COCO file, which is how CVAT
itself exports a task's rectangles ("COCO 1.0"). Without such a file this is an interactor: somebody draws a box in
CVAT's editor and gets a mask for it.

The file can be loaded by its path too, hence no dataclasses, which need their module to be known.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from hiseg.client import Client, Instance, InvalidRequest
from hiseg.client.coco import MIN_SIDE, Row, find_frame
from hiseg.client.coco import read_coco as read_coco
from hiseg.masks.formats.polygon import outline

log = logging.getLogger("hiseg.client")


def create(
    url: str, boxes: str = "", api_key: str | None = None, labels: str = "", **options: Any
) -> Annotator | Interactor:
    """Make the function; ``cvat-cli`` calls this with the parameters of ``-p``.

    Args:
        url: URL of the service, as :class:`hiseg.client.Client` takes it.
        boxes: path of a COCO file with the boxes; empty: make an interactor.
        api_key: key of the service, if it needs one.
        labels: names of the labels that are people, with commas between them; empty: all that have boxes.
        options: ``threshold``, ``model``, ``timeout``, …, as :meth:`hiseg.client.Client.segment` takes them.
    """
    client = Client(url, api_key=api_key)
    names = [name.strip() for name in labels.split(",") if name.strip()]
    if names and not boxes:
        raise ValueError("labels are those of a COCO file: give boxes too")
    return Annotator(client, Path(boxes), options, names) if boxes else Interactor(client, options)


class Annotator:
    """A detection function: makes masks for the boxes of a task.

    Args:
        client: client of the service.
        boxes: COCO file, whose categories are the labels.
        options: options of every request.
        labels: the labels whose boxes get masks; empty: all.

    Raises:
        OSError: the file can't be read.
        ValueError: it isn't a COCO file, or has no boxes.
        ImportError: CVAT's SDK isn't installed.
    """

    def __init__(self, client: Client, boxes: Path, options: Mapping[str, Any], labels: Collection[str] = ()) -> None:
        self._client = client
        self._path = boxes
        self._options = options
        self._cvat = _auto_annotation()
        names, self._rows = read_coco(boxes, labels)
        self._frames: dict[str, str] = {}
        specs = [self._cvat.label_spec(name, number, type="mask") for number, name in sorted(names.items())]
        self.spec = self._cvat.DetectionFunctionSpec(labels=specs)

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """Make a mask for each box with somebody in it, or polygons, without holes, if CVAT asks for those.

        Raises:
            ValueError: the frame isn't in the COCO file.
            ClientError: the service gives no masks.
        """
        rows = []
        for number, box in self._rows_of(context.frame_name):
            x, y, width, height = box
            if is_inside((x, y, x + width, y + height), image):
                rows.append((number, box))
            else:
                log.warning("%s: a box lies outside the image and is left out: %s", context.frame_name, box)
        if not rows:
            return []
        shapes: list[Any] = []
        for (label, _), instance in zip(rows, self._segment(image, rows), strict=True):
            if not instance.area or instance.score < (context.conf_threshold or 0):
                continue
            if context.conv_mask_to_poly:
                shapes += [self._cvat.polygon(label, points) for points in polygons(instance)]
            else:
                shapes.append(self._cvat.mask(label, _encode(instance)))
        return shapes

    def _rows_of(self, frame: str) -> list[Row]:
        try:
            name = find_frame(self._rows, frame)
        except ValueError as error:
            raise ValueError(f"{self._path} {error}") from error
        # Another frame of the same name, in another folder, must not get the same boxes.
        if (other := self._frames.setdefault(name, frame)) != frame:
            raise ValueError(f"{self._path} has one image {name!r} for two frames, {other!r} and {frame!r}")
        return self._rows[name]

    def _segment(self, image: Image.Image, rows: Sequence[Row]) -> list[Instance]:
        """The masks of the boxes in their order, in as many requests as the service's limits make necessary."""
        try:
            result = self._client.segment(image, [box for _, box in rows], box_format="xywh", **self._options)
            return list(result.instances)
        except InvalidRequest as error:
            if error.field != "boxes" or len(rows) == 1:
                raise
            limit = error.limit if type(error.limit) is int else len(rows)
        size = limit if 0 < limit < len(rows) else -(-len(rows) // 2)
        pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
        return [instance for piece in pieces for instance in self._segment(image, piece)]


class Interactor:
    """An interaction function: makes a mask for the box that somebody draws.

    Args:
        client: client of the service.
        options: options of every request.

    Raises:
        ImportError: CVAT's SDK isn't installed.
    """

    def __init__(self, client: Client, options: Mapping[str, Any]) -> None:
        self._client = client
        self._options = options
        self._cvat = _auto_annotation()
        self.spec = self._cvat.InteractionFunctionSpec(min_pos_points=0, min_neg_points=None, min_bounding_boxes=1)

    def detect(self, context: Any, image: Image.Image, prompts: Any) -> list[Any]:
        """Make the mask of the box; none if nobody is in it.

        Raises:
            ClientError: the service gives no mask.
        """
        (x1, y1), (x2, y2) = prompts.bounding_box
        box = [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]
        if not is_inside(box, image):
            return []
        (instance,) = self._client.segment(image, [box], **self._options).instances
        if not instance.area:
            return []
        return [self._cvat.InteractionResultShape(type="mask", points=_encode(instance))]


def is_inside(box: Sequence[float], image: Image.Image) -> bool:
    """Whether at least a pixel's width and height of a box, ``x1 y1 x2 y2`` in pixels, lie in the image."""
    x1, y1, x2, y2 = box
    width, height = min(x2, image.width) - max(x1, 0), min(y2, image.height) - max(y1, 0)
    return width >= MIN_SIDE and height >= MIN_SIDE


def polygons(instance: Instance) -> Iterator[list[float]]:
    """Yield the corners of each part of the mask, in image pixels: x, y, x, y, …"""
    for polygon in outline(instance.crop).polygons:
        yield [float(number) for number in polygon.outer.ravel()]


def _auto_annotation() -> Any:
    try:
        import cvat_sdk.auto_annotation  # type: ignore[import-not-found]
    except ImportError as error:
        raise ImportError("annotating in CVAT needs its package cvat_sdk: pip install cvat-cli") from error
    return cvat_sdk.auto_annotation


def _encode(instance: Instance) -> list[float]:
    from cvat_sdk.masks import encode_mask  # type: ignore[import-not-found]

    points: list[float] = encode_mask(instance.mask)
    return points
