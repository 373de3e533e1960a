"""A request of two stages: people are found first, and those who are get masks like those whose boxes were sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.echo import MEBI, EchoEngine, echoing
from hiseg.batching.job import BatchJob, BatchLimits, Prepared
from hiseg.core.box import Box
from hiseg.core.canvas import choose_canvas
from hiseg.core.errors import DeadlineExceeded, InvalidRequest, Overloaded, Unavailable
from hiseg.core.image import Image
from hiseg.core.job import Finding, Job, Mode
from hiseg.core.result import Found, Result
from hiseg.engines.base import Cost, Outputs, Prediction, no_foreground, no_logit_margins
from hiseg.stages.find import SENT_IOU, FoundPeople, choose_people

WIDTH, HEIGHT = 128, 96
FINDING = Finding(threshold=0.4, max_people=100)
PEOPLE = [[0.0, 0.0, 0.25, 1.0, 0.6], [0.5, 0.0, 1.0, 1.0, 0.9], [0.3, 0.3, 0.4, 0.4, 0.2]]
"""Rows of a finder on a canvas with the image's own sides; the last is not sure enough."""


def image() -> Image:
    return Image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def finder(people: Sequence[Sequence[float]] = PEOPLE, **others: object) -> EchoEngine:
    outputs = Outputs.BOXES | Outputs.FOREGROUND
    return EchoEngine(outputs=outputs, people=people, canvases=((48, 64),), **others)  # type: ignore[arg-type]


def run(job: Job, masks: EchoEngine, finding: EchoEngine | None, max_bytes: int = 64 * MEBI) -> Result:
    async def scenario() -> Result:
        async with echoing(masks, finder=finding, max_bytes=max_bytes) as segmenter:
            with segmenter.admission.admit() as reservation:
                result, _ = await segmenter.segment(job, reservation, lambda result, _: len(result.instances))
            assert segmenter.admission.reserved_bytes == 0
            return result

    return asyncio.run(scenario())


def test_who_is_found_gets_a_mask_the_surest_first() -> None:
    masks, found = EchoEngine(), finder()
    result = run(Job(image(), (), "echo", finding=FINDING), masks, found)
    assert [each.box for each in result.instances] == [Box(64, 0, 128, 96), Box(0, 0, 32, 96)]
    assert [each.found and round(each.found.score, 3) for each in result.instances] == [0.9, 0.6]
    assert all(each.area for each in result.instances)
    assert (result.model.name, result.finder and result.finder.name) == ("echo", "echo_find")
    assert list(result.timings_ms) == ["decode", "queue", "find", "infer", "masks", "encode"]
    assert [batch.meta.requested for batch in found.batches] == [Outputs.BOXES]
    assert [len(batch.rois) for batch in masks.batches] == [2]
    assert result.notes == ()


@pytest.mark.parametrize("canvases", [((48, 64),), ((96, 128), (64, 64))])
def test_both_models_see_the_same_image_on_their_own_canvases(canvases: tuple[tuple[int, int], ...]) -> None:
    pixels = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3)
    masks, alone, found = EchoEngine(canvases=canvases), EchoEngine(canvases=canvases), finder()
    run(Job(Image(pixels), (), "echo", finding=FINDING), masks, found)
    run(Job(Image(pixels), (Box(0, 0, 9, 9),), "echo"), alone, None)
    assert np.array_equal(masks.batches[0].images, alone.batches[0].images)
    assert found.batches[0].images.shape == (1, 3, 48, 64)


def test_boxes_that_were_sent_stay_and_who_is_in_one_isnt_found_again() -> None:
    sent = (Box(60, 0, 126, 96), Box(-50, -50, -10, -10))
    result = run(Job(image(), sent, "echo", finding=FINDING), EchoEngine(), finder())
    assert [each.box for each in result.instances] == [Box(60, 0, 126, 96), Box(0, 0, 0, 0), Box(0, 0, 32, 96)]
    assert [each.found is None for each in result.instances] == [True, True, False]
    together = run(Job(image(), sent, "echo", Mode.BINARY, finding=FINDING), EchoEngine(), finder())
    assert together.foreground is not None
    assert (together.foreground_source, [each.found is None for each in together.people]) == (
        "instances",
        [True, True, False],
    )


@pytest.mark.parametrize("sent", [(), (Box(0, 0, 9, 9),)])
def test_where_nobody_is_found_the_answer_says_so(sent: tuple[Box, ...]) -> None:
    result = run(Job(image(), sent, "echo", finding=FINDING), EchoEngine(), finder([]))
    assert (len(result.instances), result.finder is not None) == (len(sent), True)
    assert result.notes == ("nobody else was found" if sent else "nobody was found",)


def test_of_too_many_people_the_surest_are_kept_and_the_answer_says_so() -> None:
    finding = Finding(threshold=0.1, max_people=1)
    result = run(Job(image(), (), "echo", finding=finding), EchoEngine(), finder())
    assert [each.box for each in result.instances] == [Box(64, 0, 128, 96)]
    assert result.notes == ("3 people were found; the surest 1 of them are in the answer",)


def test_without_a_finder_nobody_is_found() -> None:
    with pytest.raises(InvalidRequest, match="no model is served that finds people") as refused:
        run(Job(image(), (), "echo", finding=FINDING), EchoEngine(), None)
    assert refused.value.field == "find"


def test_nothing_is_found_for_a_request_that_would_get_no_masks() -> None:
    found = finder()
    with pytest.raises(Unavailable):
        run(Job(image(), (), "echo", finding=FINDING), EchoEngine(slots=0), found)
    slow = EchoEngine(prior=Cost(10_000, 1, 1))
    with pytest.raises(DeadlineExceeded):
        run(Job(image(), (), "echo", deadline=time.monotonic() + 5, finding=FINDING), slow, found)
    assert not found.batches


def test_finding_leaves_the_time_that_masks_take() -> None:
    """Five seconds are enough for either stage, but not for both."""
    found = finder(prior=Cost(3000, 1, 1))
    job = Job(image(), (), "echo", deadline=time.monotonic() + 5, finding=FINDING)
    with pytest.raises(DeadlineExceeded):
        run(job, EchoEngine(prior=Cost(3000, 1, 1)), found)
    assert not found.batches


def test_what_the_people_found_take_is_reserved_before_it_is_made() -> None:
    """A crowd is found; its masks, 80 bytes of logits and more for each, are refused where they don't fit."""
    crowd = [[0.0, 0.0, 1.0, 1.0, 0.5 + k / 1000] for k in range(100)]
    masks, found = EchoEngine(), finder(crowd)
    masks.info = found.info.__class__(
        masks.info.ref, masks.info.canvases, masks.info.resize, (512, 512), True, outputs=Outputs.MASKS
    )
    with pytest.raises(Overloaded) as refused:
        run(Job(image(), (), "echo", finding=FINDING), masks, found, max_bytes=4 * MEBI)
    assert refused.value.reason == "MEMORY_IN_USE"
    assert (len(found.batches), masks.batches) == (1, [])


def test_images_of_several_requests_share_a_batch_of_each_model() -> None:
    masks, found = EchoEngine(), finder()

    async def scenario() -> list[Result]:
        async with echoing(masks, BatchLimits(budget_ms=1000), finder=found) as segmenter:
            found.gate.clear()

            async def ask(sent: tuple[Box, ...]) -> Result:
                with segmenter.admission.admit() as reservation:
                    job = Job(image(), sent, "echo", finding=FINDING)
                    return (await segmenter.segment(job, reservation, lambda *_: None))[0]

            asked = [asyncio.create_task(ask((Box(60, 0, 126, 96),) * (k % 2))) for k in range(6)]
            await asyncio.sleep(0.2)
            found.gate.set()
            return await asyncio.gather(*asked)

    for k, result in enumerate(asyncio.run(scenario())):
        assert [each.found is None for each in result.instances] == ([True, False] if k % 2 else [False, False])
    assert [len(batch.images) for batch in found.batches] in ([1, 5], [6])
    assert sum(len(batch.rois) for batch in masks.batches) == 12


boxes = st.tuples(*[st.floats(-0.5, 1.5)] * 4, st.floats(0, 1))
sent_boxes = st.tuples(st.floats(0, 60), st.floats(0, 60), st.floats(61, 120), st.floats(61, 90))


@given(st.lists(boxes, max_size=8), st.lists(sent_boxes, max_size=4), st.floats(0, 1), st.integers(0, 5))
def test_whom_is_chosen(
    rows: list[tuple[float, ...]], drawn: list[tuple[float, ...]], threshold: float, most: int
) -> None:
    sent = [Box(*row) for row in drawn]
    placement = choose_canvas(HEIGHT, WIDTH, [(64, 64)])
    found = chosen(rows, sent, Finding(threshold, most))
    assert len(found.boxes) == len(found.scores) <= most
    scores = [each.score for each in found.scores]
    assert scores == sorted(scores, reverse=True)
    assert all(score >= np.float32(threshold) for score in scores)
    for box in found.boxes:
        assert not box.is_empty
        assert box == box.clipped(WIDTH, HEIGHT)
        assert all(box.iou(other) < SENT_IOU for other in sent)
    everybody = chosen(rows, sent, Finding(threshold, 1000))
    assert everybody.boxes[:most] == found.boxes
    assert bool(found.notes) == (len(everybody.boxes) > most or not everybody.boxes)
    for box, row in zip(placement.boxes(placement.rois(sent)), sent, strict=True):
        np.testing.assert_allclose(box.as_tuple(), row.as_tuple(), atol=1e-4)


def chosen(rows: Sequence[Sequence[float]], sent: Sequence[Box], finding: Finding) -> FoundPeople:
    """What becomes of the rows of a finder."""
    placement = choose_canvas(HEIGHT, WIDTH, [(64, 64)])
    job = BatchJob((64, 64), 0, lambda: job.prepared)
    job.prepared = Prepared(np.zeros((3, 64, 64), np.uint8), np.zeros((0, 4), np.float32))
    made = np.array([[0, *row] for row in rows], np.float32).reshape(-1, 6)
    job.prediction = Prediction(no_logit_margins((0, 0)), no_foreground(1), finder().info.ref, boxes=made)
    return choose_people(job, placement, placement, sent, finding)


def test_rows_that_are_no_numbers_find_nobody() -> None:
    rows = [[float("nan"), 0, 1, 1, 0.9], [0, 0, 1, 1, float("nan")], [0, 0, float("inf"), 1, 0.9]]
    assert chosen(rows, [], FINDING).boxes == ()
    assert chosen([[0, 0, 1, 1, 0.875]], [], FINDING).scores == (Found(0.875),)
