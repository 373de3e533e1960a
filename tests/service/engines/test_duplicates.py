"""A person found twice by a detector gets from the published models the masks that each box would get alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import cv2
import numpy as np
import pytest

from benchmarks.harness.paths import PUBLISHED, SAMPLE, SAMPLE_BOXES
from hiseg.core.box import Box
from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.core.image import BoolMask, Floats, Pixels
from hiseg.core.model_choice import PUBLISHED_FOREGROUND
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.onnx import OnnxEngine
from hiseg.masks.logits import crop_mask
from hiseg.models.repository import StoredModel, stored_models

MODELS = [model for model in stored_models(PUBLISHED) if model.name != PUBLISHED_FOREGROUND]
LEFT, RIGHT = (Box(*box) for box in SAMPLE_BOXES)


def shifted(box: Box, pixels: float, factor: float = 1) -> Box:
    return Box(*(value + pixels for value in box.as_tuple())).scaled(factor)


DUPLICATES = {
    "same": LEFT,
    "shifted by 3 px": shifted(LEFT, 3),
    "shifted by 15 px": shifted(LEFT, 15),
    "5% larger": shifted(LEFT, 0, 1.05),
    "5% smaller": shifted(LEFT, 0, 0.95),
    "shifted and larger": shifted(LEFT, -3, 1.05),
    "10% larger": shifted(LEFT, 0, 1.1),
}


class Photo:
    """The sample photo, and a model that runs on it."""

    def __init__(self, engine: OnnxEngine) -> None:
        self.engine = engine
        image = np.ascontiguousarray(cv2.imread(str(SAMPLE))[:, :, ::-1])
        self.height, self.width = image.shape[:2]
        self.placement = choose_canvas(self.height, self.width, engine.info.canvases, engine.info.resize)
        self.canvas: Pixels = to_canvas(image, self.placement)

    def margins(self, *images: Sequence[Box]) -> Floats:
        """Log-odds of everybody's masks in a batch of this photo, once with each of the lists of boxes."""
        rois = [
            np.column_stack([np.full(len(boxes), index), self.placement.rois([self.clipped(box) for box in boxes])])
            for index, boxes in enumerate(images)
        ]
        canvases = np.repeat(self.canvas[None], len(images), axis=0)
        meta = BatchMeta(requested=Outputs.MASKS)
        return self.engine.run(Batch(canvases, np.concatenate(rois).astype(np.float32), meta)).logit_margins

    def clipped(self, box: Box) -> Box:
        return box.clipped(self.width, self.height)

    def masks(self, boxes: Sequence[Box]) -> list[tuple[BoolMask, float]]:
        """Masks, bool ``[H, W]``, and scores of people in one image."""
        found = []
        for margin, box in zip(self.margins(boxes), boxes, strict=True):
            region = self.clipped(box).scaled(self.engine.info.crop_scale)
            mask, score = crop_mask(margin, region, self.width, self.height)
            whole = np.zeros((self.height, self.width), dtype=np.bool_)
            whole[mask.region] = mask.pixels
            found.append((whole, score))
        return found


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.name)
def photo(request: pytest.FixtureRequest) -> Iterator[Photo]:
    model: StoredModel = request.param
    engine = OnnxEngine(model.path, model.name, model.version, threads=1)
    yield Photo(engine)
    engine.close()


def iou(one: BoolMask, two: BoolMask) -> float:
    return float((one & two).sum() / (one | two).sum())


@pytest.mark.parametrize("neighbour", [False, True], ids=["alone", "beside somebody"])
@pytest.mark.parametrize("twin", DUPLICATES.values(), ids=DUPLICATES)
def test_each_of_two_near_duplicates_has_the_mask_that_it_has_alone(photo: Photo, twin: Box, neighbour: bool) -> None:
    others = [RIGHT] if neighbour else []
    together = photo.masks([LEFT, twin, *others])
    for box, (mask, score) in zip((LEFT, twin), together, strict=False):
        expected, surety = photo.masks([box, *others])[0]
        assert iou(mask, expected) >= 0.99
        assert score == pytest.approx(surety, abs=0.005)
    for (mask, _), (expected, _) in zip(together[2:], photo.masks([LEFT, *others])[1:], strict=True):
        assert iou(mask, expected) >= 0.99, "and the neighbour doesn't notice"


same = partial(np.testing.assert_allclose, atol=2e-3)


def test_a_hundred_times_the_same_box_in_pieces_is_one_person(photo: Photo) -> None:
    assert (photo.engine.piece_limits.rois or 999) < 100
    alone = photo.margins([LEFT, RIGHT])
    crowd = photo.margins([*[LEFT] * 50, RIGHT, *[LEFT] * 50])
    same(crowd[:50], np.broadcast_to(alone[0], (50, *alone[0].shape)))
    same(crowd[51:], np.broadcast_to(alone[0], (50, *alone[0].shape)))
    same(crowd[50], alone[1])


def test_the_order_of_duplicates_changes_nothing(photo: Photo) -> None:
    boxes = [LEFT, RIGHT, DUPLICATES["shifted and larger"], LEFT]
    found, order = photo.margins(boxes), [2, 3, 1, 0]
    same(photo.margins([boxes[index] for index in order]), found[order])


def test_images_of_one_batch_have_nothing_to_do_with_each_other(photo: Photo) -> None:
    lists = [[LEFT], [LEFT, RIGHT], [RIGHT, LEFT, LEFT], [DUPLICATES["10% larger"]]]
    same(photo.margins(*lists), np.concatenate([photo.margins(boxes) for boxes in lists]))


def test_the_ends_of_a_row_of_near_duplicates_are_others_for_each_other(photo: Photo) -> None:
    row = [Box(LEFT.x1 + right, LEFT.y1, LEFT.x2 + right, LEFT.y2) for right in (0, 40, 80)]
    found, ends = photo.masks(row), photo.masks([row[0], row[2]])
    assert iou(found[0][0], ends[0][0]) >= 0.99
    assert iou(found[1][0], photo.masks([row[1]])[0][0]) >= 0.99
    # How much others change a mask is the model's affair; that they do is what shows that it was told of them.
    assert not np.array_equal(found[0][0], photo.masks([LEFT])[0][0])
