"""`Segment` with a real server and client: answers in every format and mode."""

from __future__ import annotations

import asyncio
import io
import math
import time
from typing import Any

import numpy as np
import PIL.Image
import pytest
import uvloop
from pycocotools import mask as coco_mask

from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest
from hiseg.core.job import Job, Mode, PostProcessing, Priority, Smoothing
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.harness import BOX, HEIGHT, PHOTO, WIDTH, running

BOXES = [pb.Box(x1=40, y1=0, x2=60, y2=60), BOX, pb.Box(x1=20, y1=10, x2=50, y2=20)]


def asked(**fields: Any) -> pb.SegmentResponse:
    """The answer to one request for BOXES."""

    async def scenario() -> pb.SegmentResponse:
        async with running() as service:
            answer: pb.SegmentResponse = await service.stub.Segment(
                pb.SegmentRequest(**{"encoded_image": PHOTO, "boxes": BOXES} | fields)
            )
            return answer

    return asyncio.run(scenario())


def filled(*boxes: pb.Box) -> np.ndarray:
    """What the echo engine's masks are: all of their boxes."""
    pixels = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for box in boxes:
        pixels[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = True
    return pixels


def decoded(rle: pb.CocoRle) -> np.ndarray:
    return np.asarray(coco_mask.decode({"size": [rle.height, rle.width], "counts": rle.counts}), dtype=bool)


def opened(png: bytes) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture)


def test_an_answer_is_whole_and_in_the_order_sent() -> None:
    answer = asked()
    assert (answer.image.width, answer.image.height, list(answer.image.notes)) == (WIDTH, HEIGHT, [])
    assert answer.model == pb.Model(name="echo", version="1", variant="b0")
    assert [instance.box for instance in answer.instances] == BOXES
    for instance, box in zip(answer.instances, BOXES, strict=True):
        np.testing.assert_array_equal(decoded(instance.coco_rle), filled(box))
        assert instance.area == filled(box).sum()
        # The engine's margin is the roi's x1, which is a share of the canvas, plus 1.
        assert instance.score == pytest.approx(1 / (1 + math.exp(-1 - box.x1 / WIDTH)), abs=1e-3)
    assert set(answer.timings_ms) == {"decode", "queue", "infer", "masks", "encode"}
    assert not answer.HasField("foreground")
    assert not answer.picture


def test_png_masks() -> None:
    for instance, box in zip(asked(mask_format="MASK_FORMAT_PNG").instances, BOXES, strict=True):
        crop = instance.png
        assert (crop.left, crop.top) == (box.x1, box.y1)
        assert opened(crop.data).shape == (crop.height, crop.width) == (box.y2 - box.y1, box.x2 - box.x1)
        assert opened(crop.data).all()


def test_packed_masks() -> None:
    for instance, box in zip(asked(mask_format="MASK_FORMAT_PACKED").instances, BOXES, strict=True):
        crop = instance.packed
        assert (crop.left, crop.top) == (box.x1, box.y1)
        rows = np.frombuffer(crop.data, np.uint8).reshape(crop.height, -1)
        pixels = np.unpackbits(rows, axis=1, count=crop.width)
        assert pixels.shape == (box.y2 - box.y1, box.x2 - box.x1)
        assert pixels.all()


def test_cutouts() -> None:
    photo = opened(PHOTO)
    for instance in asked(mask_format="MASK_FORMAT_CUTOUT").instances:
        crop = instance.cutout
        pixels = opened(crop.data)
        assert pixels.shape == (crop.height, crop.width, 4)
        assert (pixels[:, :, 3] == 255).all()
        place = photo[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        np.testing.assert_array_equal(pixels[:, :, :3], place)


def test_uncompressed_run_lengths() -> None:
    for instance, box in zip(asked(mask_format="MASK_FORMAT_COCO_RLE_UNCOMPRESSED").instances, BOXES, strict=True):
        rle = instance.coco_rle_uncompressed
        found = coco_mask.frPyObjects(
            {"size": [rle.height, rle.width], "counts": list(rle.counts)}, rle.height, rle.width
        )
        np.testing.assert_array_equal(coco_mask.decode(found), filled(box))


def test_polygons() -> None:
    for instance, box in zip(asked(mask_format="MASK_FORMAT_POLYGON", tolerance_px=0).instances, BOXES, strict=True):
        (part,) = instance.polygon.polygons
        corners = {(part.outer.xy[k], part.outer.xy[k + 1]) for k in range(0, len(part.outer.xy), 2)}
        assert corners == {(box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2)}
        assert (list(part.holes), instance.polygon.iou) == ([], 1)


def test_label_map() -> None:
    answer = asked(mask_format="MASK_FORMAT_LABEL_MAP")
    labels = opened(answer.picture)
    assert labels.shape == (HEIGHT, WIDTH)
    # Where masks overlap, the smallest is in front: the third, then the second, then the first.
    np.testing.assert_array_equal(labels == 3, filled(BOXES[2]))
    np.testing.assert_array_equal(labels > 0, filled(*BOXES))
    assert [instance.WhichOneof("mask") for instance in answer.instances] == [None] * 3
    assert [instance.area for instance in answer.instances] == [filled(box).sum() for box in BOXES]


def test_overlay() -> None:
    drawn = opened(asked(mask_format="MASK_FORMAT_OVERLAY").picture)
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    assert (drawn != opened(PHOTO)).any(axis=2)[filled(*BOXES)].mean() > 0.9
    np.testing.assert_array_equal(drawn[55:, :8], opened(PHOTO)[55:, :8])


def test_binary_mode() -> None:
    answer = asked(mode="MODE_BINARY", boxes=[])
    assert not answer.instances
    assert answer.foreground.box == pb.Box(x1=0, y1=0, x2=WIDTH, y2=HEIGHT)
    mask = decoded(answer.foreground.coco_rle)
    assert mask.sum() == answer.foreground.area
    # The echo engine's foreground is the image's red.
    assert mask[:, : WIDTH // 2 - 1].all()
    assert not mask[:, WIDTH // 2 + 1 :].any()
    labels = opened(asked(mode="MODE_BINARY", boxes=[], mask_format="MASK_FORMAT_LABEL_MAP").picture)
    np.testing.assert_array_equal(labels == 1, mask)
    assert answer.foreground_source == pb.FOREGROUND_SOURCE_IMAGE


def test_binary_mode_with_boxes_unites_their_masks() -> None:
    apart, together = asked(mask_format="MASK_FORMAT_LABEL_MAP"), asked(mode="MODE_BINARY")
    np.testing.assert_array_equal(decoded(together.foreground.coco_rle), opened(apart.picture) > 0)
    assert together.foreground_source == pb.FOREGROUND_SOURCE_INSTANCES
    assert not apart.foreground_source


def test_no_boxes_are_no_instances() -> None:
    assert not asked(boxes=[]).instances


def test_a_box_outside_the_image_is_an_empty_instance() -> None:
    beyond = pb.Box(x1=500, y1=500, x2=600, y2=600)
    for form, empty in (("MASK_FORMAT_COCO_RLE", "coco_rle"), ("MASK_FORMAT_PNG", "png")):
        first, second = asked(boxes=[beyond, BOX], mask_format=form).instances
        assert (first.area, first.score, first.WhichOneof("mask")) == (0, 0, empty)
        assert second.area == filled(BOX).sum()


@pytest.mark.parametrize(
    ("form", "numbers"),
    [("BOX_FORMAT_XYWH", (10, 5, 20, 45)), ("BOX_FORMAT_CXCYWH", (20, 27.5, 20, 45))],
)
@pytest.mark.parametrize("normalized", [False, True])
def test_box_formats(form: str, numbers: tuple[float, ...], normalized: bool) -> None:
    scale = (WIDTH, HEIGHT) * 2 if normalized else (1,) * 4
    x1, y1, x2, y2 = (number / by for number, by in zip(numbers, scale, strict=True))
    box = pb.Box(x1=x1, y1=y1, x2=x2, y2=y2)
    (instance,) = asked(boxes=[box], box_format=form, normalized=normalized).instances
    assert (instance.box.x1, instance.box.x2) == pytest.approx((10, 30))
    assert (instance.box.y1, instance.box.y2) == pytest.approx((5, 50))


def test_a_threshold_over_the_engines_probability_leaves_nothing() -> None:
    assert [instance.area > 0 for instance in asked(threshold=0.77).instances] == [True, False, True]


def test_server_timing_is_in_the_trailing_metadata() -> None:
    async def scenario() -> None:
        async with running() as service:
            call = service.stub.Segment(pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX]))
            answer = await call
            text = (await call.trailing_metadata())["server-timing"]
            timings = dict(part.split(";dur=") for part in text.split(", "))
            assert list(timings) == ["decode", "queue", "infer", "masks", "encode"]
            assert {stage: float(ms) for stage, ms in timings.items()} == dict(answer.timings_ms)

    asyncio.run(scenario())


def test_many_at_once_get_their_own_answers_on_the_loop_that_the_service_runs_on() -> None:
    async def scenario() -> None:
        async with running() as service:

            async def one(index: int) -> None:
                boxes = [pb.Box(x1=index, y1=k, x2=index + 10 + k, y2=30) for k in range(index % 4)]
                answer = await service.stub.Segment(pb.SegmentRequest(encoded_image=PHOTO, boxes=boxes))
                assert [instance.box for instance in answer.instances] == boxes

            await asyncio.gather(*(one(index) for index in range(40)))
            assert service.counted() == {"ok": 40}
            assert service.segmenter.admission.active_requests == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def test_what_is_asked_reaches_the_segmenter(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    async def remember(job: Job, *_: object, **__: object) -> None:
        jobs.append(job)
        raise InvalidRequest("enough")

    async def scenario() -> None:
        async with running(Settings(default_deadline_ms=100_000)) as service:
            monkeypatch.setattr(service.segmenter, "segment", remember)
            fields = {"mode": "MODE_BINARY", "priority": "PRIORITY_BATCH", "variant": "b0"}
            fields |= {"threshold": 0.25, "smoothing": "SMOOTHING_EDGE", "dilation_px": 7, "resolve_overlaps": True}
            now = time.monotonic()
            await service.refused(pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX], **fields), within=50)
            await service.refused(pb.SegmentRequest(encoded_image=PHOTO), within=None)
            first, second = jobs
            assert (first.mode, first.priority) == (Mode.BINARY, Priority.BATCH)
            assert first.post_processing == PostProcessing(Smoothing.EDGE, 0.25, 7, True)
            assert (second.mode, second.priority, second.post_processing) == (
                Mode.INSTANCE,
                Priority.INTERACTIVE,
                PostProcessing(),
            )
            assert (first.client, first.boxes) == ("127.0.0.1", (Box(10, 5, 30, 50),))
            assert [job.deadline for job in jobs] == [
                pytest.approx(now + 50, abs=20),
                pytest.approx(now + 100, abs=20),
            ]

    asyncio.run(scenario())
