"""A function for CVAT's automatic annotation, to be given to ``cvat-cli``: boxes in, masks out.

CVAT gives a detection function images, not what is drawn on them. So the boxes come from a COCO file, which is how CVAT
itself exports a task's rectangles ("COCO 1.0"). Without such a file this is an interactor: somebody draws a box in
CVAT's editor and gets a mask for it.

The file can be loaded by its path too, hence no dataclasses, which need their module to be known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import cvat_sdk.auto_annotation as cvataa  # type: ignore[import-not-found]
from cvat_sdk.masks import encode_mask  # type: ignore[import-not-found]
from PIL import Image

from hiseg.client import Client, Instance
from hiseg.masks.formats.polygon import outline

Row: TypeAlias = tuple[int, list[float]]
"""The number of a label, and a box ``x y width height`` in pixels."""


def create(url: str, boxes: str = "", api_key: str | None = None, **options: Any) -> Annotator | Interactor:
    """Make the function; ``cvat-cli`` calls this with the parameters of ``-p``.

    Args:
        url: URL of the service, as :class:`hiseg.client.Client` takes it.
        boxes: path of a COCO file with the boxes; empty: make an interactor.
        api_key: key of the service, if it needs one.
        options: ``threshold``, ``variant``, ``timeout``, …, as :meth:`hiseg.client.Client.segment` takes them.
    """
    client = Client(url, api_key=api_key)
    return Annotator(client, Path(boxes), options) if boxes else Interactor(client, options)


class Annotator:
    """A detection function: makes masks for the boxes of a task.

    Args:
        client: client of the service.
        boxes: COCO file, whose categories are the labels.
        options: options of every request.

    Raises:
        OSError: the file can't be read.
        ValueError: it isn't a COCO file, or has no boxes.
    """

    def __init__(self, client: Client, boxes: Path, options: Mapping[str, Any]) -> None:
        self._client = client
        self._path = boxes
        self._options = options
        labels, self._rows = read_coco(boxes)
        specs = [cvataa.label_spec(name, number, type="mask") for number, name in sorted(labels.items())]
        self.spec = cvataa.DetectionFunctionSpec(labels=specs)

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """Make a mask for each box with somebody in it, or polygons, without holes, if CVAT asks for those.

        Raises:
            ValueError: the frame isn't in the COCO file.
            ClientError: the service gives no masks.
        """
        if context.frame_name not in self._rows:
            raise ValueError(f"{self._path} has no image with the file_name {context.frame_name!r}")
        rows = self._rows[context.frame_name]
        if not rows:
            return []
        result = self._client.segment(image, [box for _, box in rows], box_format="xywh", **self._options)
        shapes: list[Any] = []
        for (label, _), instance in zip(rows, result.instances, strict=True):
            if not instance.area or instance.score < (context.conf_threshold or 0):
                continue
            if context.conv_mask_to_poly:
                shapes += [cvataa.polygon(label, points) for points in polygons(instance)]
            else:
                shapes.append(cvataa.mask(label, encode_mask(instance.mask)))
        return shapes


class Interactor:
    """An interaction function: makes a mask for the box that somebody draws.

    Args:
        client: client of the service.
        options: options of every request.
    """

    def __init__(self, client: Client, options: Mapping[str, Any]) -> None:
        self._client = client
        self._options = options
        self.spec = cvataa.InteractionFunctionSpec(min_pos_points=0, min_neg_points=None, min_bounding_boxes=1)

    def detect(self, context: Any, image: Image.Image, prompts: Any) -> list[Any]:
        """Make the mask of the box; none if nobody is in it.

        Raises:
            ClientError: the service gives no mask.
        """
        (x1, y1), (x2, y2) = prompts.bounding_box
        (instance,) = self._client.segment(image, [[x1, y1, x2, y2]], **self._options).instances
        if not instance.area:
            return []
        return [cvataa.InteractionResultShape(type="mask", points=encode_mask(instance.mask))]


def read_coco(path: Path) -> tuple[dict[int, str], dict[str, list[Row]]]:
    """Read a COCO file.

    Returns:
        Labels by number, and the boxes of each image by its file name.

    Raises:
        OSError: the file can't be read.
        ValueError: it isn't a COCO file, or has no boxes.
    """
    try:
        content = json.loads(path.read_text())
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        labels = {int(category["id"]): str(category["name"]) for category in content["categories"]}
        rows: dict[str, list[Row]] = {name: [] for name in names.values()}
        for index, annotation in enumerate(content["annotations"]):
            box = [float(number) for number in annotation["bbox"]]
            if len(box) != 4 or annotation["category_id"] not in labels:
                raise ValueError(f"annotations[{index}] has no box of four numbers, or a category that there isn't")
            rows[names[annotation["image_id"]]].append((annotation["category_id"], box))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a COCO file with boxes: {error!r}") from error
    used = {label for boxes in rows.values() for label, _ in boxes}
    if not used:
        raise ValueError(f"{path} has no boxes")
    return {number: labels[number] for number in used}, rows


def polygons(instance: Instance) -> Iterator[list[float]]:
    """Yield the corners of each part of the mask, in image pixels: x, y, x, y, …"""
    for polygon in outline(instance.crop).polygons:
        yield [float(number) for number in polygon.outer.ravel()]
