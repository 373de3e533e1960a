"""A request through the segmenter, with an engine whose results are known."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.echo import EchoEngine, echoing
from benchmarks.harness.paths import SAMPLE
from hiseg.batching.admission import MIN_RESERVATION_BYTES
from hiseg.core.box import Box
from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.core.errors import DeadlineExceeded, InvalidRequest, Overloaded
from hiseg.core.image import Image, Size
from hiseg.core.job import Job, Mode, PostProcessing
from hiseg.core.result import Result
from hiseg.core.stop import NEVER, Stop
from hiseg.engines.base import Cost, Outputs
from hiseg.images.encoded import EncodedImage, inspect
from hiseg.images.limits import ImageLimits
from hiseg.masks.formats.label_map import label_map
from hiseg.stages.prepare import decodes_quickly, prepare, size_to_decode


def image(red: int = 0, width: int = 128, height: int = 96) -> Image:
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, width // 2 :, 0] = red
    return Image(pixels)


def write(result: Result, _: Stop) -> str:
    return str(result)


def run(engine: EchoEngine, job: Job) -> Result:
    async def scenario() -> Result:
        async with echoing(engine) as segmenter:
            with segmenter.admission.admit() as reservation:
                result, written = await segmenter.segment(job, reservation, lambda result, _: len(result.instances))
                assert written == len(result.instances)
                assert reservation.bytes > 0
            assert segmenter.admission.reserved_bytes == 0
            return result

    return asyncio.run(scenario())


def test_one_instance_per_box_in_the_order_sent_also_when_empty() -> None:
    engine = EchoEngine()
    boxes = (Box(64, 0, 128, 96), Box(500, 500, 600, 600), Box(-10, -10, 32, 48), Box(32, 0, 64, 48))
    result = run(engine, Job(image(), boxes, "echo"))
    assert [instance.box for instance in result.instances] == [
        Box(64, 0, 128, 96),
        Box(128, 96, 128, 96),
        Box(0, 0, 32, 48),
        Box(32, 0, 64, 48),
    ]
    assert [instance.area for instance in result.instances] == [64 * 96, 0, 32 * 48, 32 * 48]
    # The engine answers with x1 + 1 as log-odds: each row is its own box's.
    odds = [1.5, None, 1.0, 1.25]
    for instance, own in zip(result.instances, odds, strict=True):
        assert instance.score == pytest.approx(0 if own is None else 1 / (1 + np.exp(-own)), abs=1e-5)
    assert engine.batches[0].rois.shape == (3, 5), "a box outside the image never reaches the engine"
    assert engine.batches[0].images.shape == (1, 3, 48, 64)
    assert list(result.timings_ms) == ["decode", "queue", "infer", "masks", "encode"]
    assert result.foreground is None


def test_no_boxes() -> None:
    assert run(EchoEngine(), Job(image(), (), "echo")).instances == ()


def test_binary_mode_without_boxes_gives_the_foreground_of_the_whole_image() -> None:
    engine = EchoEngine()
    result = run(engine, Job(image(red=255), (), "echo", Mode.BINARY))
    assert (result.instances, result.people, result.foreground_source) == ((), (), "image")
    assert result.foreground is not None
    mask = result.foreground.mask
    assert mask.pixels.shape == (96, 128)
    assert mask.pixels[:, 66:].all()
    assert not mask.pixels[:, :62].any()
    assert [batch.meta.requested for batch in engine.batches] == [Outputs.FOREGROUND]


@pytest.mark.parametrize("outputs", [Outputs.MASKS, Outputs.BOTH])
def test_binary_mode_with_boxes_is_the_union_of_the_masks(outputs: Outputs) -> None:
    engine, boxes = (
        EchoEngine(crop_scale=1.2, outputs=outputs),
        (Box(0, 0, 9, 9), Box(60, 50, 99, 90), Box(5, 5, 20, 9)),
    )
    options = PostProcessing(threshold=0.7, dilation_px=2, resolve_overlaps=True)
    apart = run(engine, Job(image(), boxes, "echo", Mode.INSTANCE, options))
    together = run(engine, Job(image(), boxes, "echo", Mode.BINARY, options))
    assert (together.instances, together.foreground_source) == ((), "instances")
    assert together.foreground is not None
    union = label_map(apart.masks, 128, 96) > 0
    assert np.array_equal(label_map(together.masks, 128, 96) > 0, union)
    assert union.any()
    assert together.foreground.box == Box(0, 0, 128, 96)
    least, *_, most = sorted(person.score for person in apart.instances)
    assert least <= together.foreground.score <= most
    assert [found.box for found in together.people] == [found.box for found in apart.instances]
    assert [batch.meta.requested for batch in engine.batches] == [Outputs.MASKS] * 2


def test_a_union_of_nobody_is_empty() -> None:
    result = run(EchoEngine(outputs=Outputs.MASKS), Job(image(), (Box(500, 500, 600, 600),), "echo", Mode.BINARY))
    assert result.foreground is not None
    assert (result.foreground.area, result.foreground.score, result.foreground_source) == (0, 0.0, "instances")


def test_what_no_graph_gives_is_refused_and_what_is_missing_named() -> None:
    masks, foreground = EchoEngine(outputs=Outputs.MASKS), EchoEngine(outputs=Outputs.FOREGROUND)
    with pytest.raises(InvalidRequest, match="there are no boxes, and model 'echo' needs them"):
        run(masks, Job(image(), (), "echo", Mode.BINARY))
    with pytest.raises(InvalidRequest, match="model 'echo' gives no mask for a box") as refused:
        run(foreground, Job(image(), (Box(0, 0, 9, 9),), "echo"))
    assert refused.value.field == "model"
    assert not masks.batches + foreground.batches


def test_a_model_without_masks_looks_at_the_image_whatever_the_boxes() -> None:
    result = run(EchoEngine(outputs=Outputs.FOREGROUND), Job(image(), (Box(0, 0, 9, 9),), "echo", Mode.BINARY))
    assert result.foreground_source == "image"
    assert result.notes == ("the boxes weren't used: model echo looks at the image",)


def test_a_mask_is_as_large_as_what_its_model_sees() -> None:
    (found,) = run(EchoEngine(crop_scale=1.5), Job(image(), (Box(40, 20, 80, 60),), "echo")).instances
    assert found.box == Box(40, 20, 80, 60)
    assert (found.mask.left, found.mask.top, found.mask.pixels.shape) == (30, 10, (60, 60))
    assert found.mask.pixels.all()


def test_deadline() -> None:
    async def scenario() -> None:
        engine = EchoEngine()
        engine.gate.clear()
        async with echoing(engine) as segmenter:
            with segmenter.admission.admit() as first, segmenter.admission.admit() as second:
                blocking = asyncio.create_task(segmenter.segment(Job(image(), (), "echo"), first, write))
                await asyncio.sleep(0.02)
                job = Job(image(), (), "echo", deadline=time.monotonic() + 0.05)
                with pytest.raises(DeadlineExceeded):
                    await segmenter.segment(job, second, write)
                engine.gate.set()
                await blocking
            assert len(engine.batches) == 1, "what nobody waits for never reaches the engine"

    asyncio.run(scenario())


def test_a_request_is_refused_unread_if_even_the_smallest_job_would_be_late_or_too_large() -> None:
    async def scenario() -> None:
        engine = EchoEngine(prior=Cost(0, 1000, 0))
        engine.gate.clear()
        async with echoing(engine, max_bytes=10 * MIN_RESERVATION_BYTES) as segmenter, asyncio.TaskGroup() as tasks:
            with ExitStack() as inside:
                for _ in range(3):
                    reservation = inside.enter_context(segmenter.admission.admit())
                    tasks.create_task(segmenter.segment(Job(image(), (), "echo"), reservation, write))
                await asyncio.sleep(0.02)
                with segmenter.admission.admit("second") as reservation:
                    segmenter.check_capacity(reservation, time.monotonic() + 10)
                    assert reservation.bytes == MIN_RESERVATION_BYTES + 3 * 48 * 64
                    with pytest.raises(Overloaded, match="it would wait about"):
                        segmenter.check_capacity(reservation, time.monotonic() + 1.5)
                    with pytest.raises(DeadlineExceeded, match="it takes about 1000 ms"):
                        segmenter.check_capacity(reservation, time.monotonic() + 0.5)
                most = 4 * (10 - 3) * MIN_RESERVATION_BYTES // 5
                with (
                    segmenter.admission.admit("second", most) as reservation,
                    pytest.raises(Overloaded, match="bytes"),
                ):
                    segmenter.check_capacity(reservation, None)
                engine.gate.set()

    asyncio.run(scenario())


def test_long_answers_of_one_caller_refuse_nobody_elses_deadline() -> None:
    def write_slowly(result: Result, _: Stop) -> None:
        time.sleep(0.2)

    async def scenario() -> None:
        async with echoing(EchoEngine()) as segmenter:
            crowd = tuple(Box(number, 0, number + 20, 30) for number in range(40))
            for _ in range(10):
                with segmenter.admission.admit("first") as reservation:
                    job = Job(image(), crowd, "echo", client="first")
                    await segmenter.segment(job, reservation, write_slowly)
            (batcher,) = segmenter.batchers.values()
            batcher.wait_estimator.start_batch(20, 20)
            batcher.check_capacity("second", time.monotonic() + 0.1)

    asyncio.run(scenario())


@dataclass
class WatchedImage:
    """An image source that records the threads it is decoded in."""

    width: int
    height: int
    nbytes: int = 1000
    decoding_bytes: int = 1000
    threads: list[int] = field(default_factory=list)

    def decoding_bytes_for(self, at_least: Size | None) -> int:
        return self.decoding_bytes

    def decode(self, at_least: Size | None = None, stop: Stop = NEVER) -> Image:
        self.threads.append(threading.get_ident())
        return image(width=self.width, height=self.height)


def test_a_small_image_is_decoded_on_the_loop_while_nobody_else_is_inside() -> None:
    async def scenario() -> None:
        async with echoing(EchoEngine()) as segmenter:
            here, small, large = threading.get_ident(), WatchedImage(128, 96), WatchedImage(1024, 768)
            with segmenter.admission.admit() as reservation:
                for each in (small, large):
                    await segmenter.segment(Job(each, (), "echo"), reservation, write)
                with segmenter.admission.admit():
                    await segmenter.segment(Job(small, (), "echo"), reservation, write)
            assert [thread == here for thread in small.threads] == [True, False]
            assert [thread == here for thread in large.threads] == [False]

    asyncio.run(scenario())


def encoded(kind: str, width: int = 640, height: int = 480, behind: bytes = b"", **options: object) -> EncodedImage:
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height)).save(file, kind, **options)
    return inspect(file.getvalue() + behind, ImageLimits(10**7, 10**6))


@pytest.mark.parametrize(("kind", "quick"), [("JPEG", True), ("PNG", False), ("WEBP", False)])
def test_images_that_decode_slowly_never_hold_the_loop(kind: str, quick: bool) -> None:
    assert decodes_quickly(encoded(kind)) is quick


def test_progressive_and_padded_jpegs_are_not_decoded_on_the_loop() -> None:
    assert not decodes_quickly(encoded("JPEG", 64, 48, progressive=True))
    assert not decodes_quickly(encoded("JPEG", 64, 48, behind=bytes(2 * 10**6)))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_photo_is_decoded_smaller_for_a_canvas_that_looks_the_same(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    with PIL.Image.open(SAMPLE) as photo:
        file = io.BytesIO()
        photo.resize((4000, 2160)).save(file, "JPEG", quality=90, exif=exif)
    source = inspect(file.getvalue(), ImageLimits(10**7, 10**7))
    placement = choose_canvas(source.height, source.width, [(640, 640), (384, 640), (640, 384)])
    assert source.decode(size_to_decode(placement)).nbytes == source.decode().nbytes // 4
    canvas = prepare(source, placement, []).image.astype(int)
    assert np.abs(canvas - to_canvas(source.decode().pixels, placement)).mean() < 0.5
    assert source.decoding_bytes_for(size_to_decode(placement)) < source.decoding_bytes // 2


def test_a_model_is_chosen_among_those_that_run() -> None:
    async def scenario() -> None:
        async with echoing(EchoEngine()) as segmenter:
            chosen = [segmenter.choose_model(*asked, "b0") for asked in ((None, None), ("echo", None), (None, "b0"))]
            assert [info.ref.name for info in chosen] == ["echo"] * 3
            with pytest.raises(InvalidRequest) as raised:
                segmenter.choose_model("none", None, "b0")
            assert (raised.value.field, raised.value.limit, raised.value.value) == ("model", ["echo"], "none")

    asyncio.run(scenario())
