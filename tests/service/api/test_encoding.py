"""Every mask format can be encoded on every transport."""

from __future__ import annotations

import base64
import io
from typing import Any, get_args

import numpy as np
import PIL.Image
import pytest

from hiseg.api.answer import MaskOut, to_json
from hiseg.api.encoding import MaskFormat, to_png
from hiseg.core.box import Box
from hiseg.core.errors import TooLarge
from hiseg.core.image import Image
from hiseg.core.result import CropMask, Instance, ModelRef, Result
from hiseg.masks.formats.cutout import MAX_CUTOUT_PIXELS
from hiseg.transports.grpc.answers import to_message
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

OF_EACH_MASK = [form for form in MaskFormat if not form.is_image]
IMAGE = Image(np.random.default_rng(0).integers(1, 255, (20, 30, 3), dtype=np.uint8))
RING = np.ones((9, 11), dtype=np.bool_)
RING[3:6, 4:7] = False
MODEL = ModelRef("echo", "1", "b0", "onnx")


def result(*masks: CropMask) -> Result:
    found = tuple(Instance(Box(1, 2, 25, 18), mask, 0.5) for mask in masks)
    return Result(IMAGE.width, IMAGE.height, (), found, None, MODEL)


def fields(message: Any) -> Any:
    """A message of the mask as JSON has it."""
    if isinstance(message, pb.PolygonMask):
        polygons = [
            {"outer": list(part.outer.xy), "holes": [list(hole.xy) for hole in part.holes]} for part in message.polygons
        ]
        return {"polygons": polygons, "iou": message.iou}
    if isinstance(message, pb.CocoRle):
        return {"size": [message.height, message.width], "counts": message.counts}
    if isinstance(message, pb.CocoRleUncompressed):
        return {"size": [message.height, message.width], "counts": list(message.counts)}
    data = base64.b64encode(message.data).decode("ascii")
    return {"left": message.left, "top": message.top, "width": message.width, "height": message.height, "data": data}


def test_every_format_of_single_masks_has_a_json_class_and_a_message() -> None:
    classes = get_args(get_args(MaskOut)[0])
    assert {model.model_fields["format"].default for model in classes} == set(OF_EACH_MASK)
    assert {field.name for field in pb.Instance.DESCRIPTOR.oneofs_by_name["mask"].fields} == set(OF_EACH_MASK)


@pytest.mark.parametrize("mask", [CropMask(5, 4, RING), CropMask.empty()], ids=["a ring", "nobody"])
@pytest.mark.parametrize("form", OF_EACH_MASK)
def test_json_and_message_say_the_same(form: MaskFormat, mask: CropMask) -> None:
    (json_instance,) = to_json(IMAGE, result(mask), form, 0).instances
    (instance,) = to_message(IMAGE, result(mask), form, 0).instances
    assert instance.WhichOneof("mask") == form
    assert {"format": form, **fields(getattr(instance, form))} == json_instance.mask.model_dump()


@pytest.mark.parametrize("form", [MaskFormat.LABEL_MAP, MaskFormat.OVERLAY])
def test_an_image_stands_beside_instances_without_masks(form: MaskFormat) -> None:
    message = to_message(IMAGE, result(CropMask(5, 4, RING)), form)
    assert message.picture == to_png(IMAGE, result(CropMask(5, 4, RING)), form)
    assert message.instances[0].WhichOneof("mask") is None


def test_a_label_map_numbers_more_people_than_8_bits_can() -> None:
    people = result(*(CropMask(index % 30, index // 30, np.ones((1, 1), np.bool_)) for index in range(300)))
    for data in (
        to_png(IMAGE, people, MaskFormat.COCO_RLE),
        to_message(IMAGE, people, MaskFormat.LABEL_MAP, 1.0).picture,
    ):
        with PIL.Image.open(io.BytesIO(data)) as labels:
            np.testing.assert_array_equal(np.asarray(labels)[:10], np.arange(1, 301).reshape(10, 30))


def test_cutouts_are_refused_before_they_take_too_much() -> None:
    row = CropMask(0, 0, np.broadcast_to(np.True_, (1, MAX_CUTOUT_PIXELS // 2 + 1)))
    for write in (to_json, to_message):
        with pytest.raises(TooLarge, match=f"at most {MAX_CUTOUT_PIXELS}"):
            write(IMAGE, result(row, row), MaskFormat.CUTOUT)
