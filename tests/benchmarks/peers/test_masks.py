"""The servers of the comparison give hiseg's masks, for single requests and in batches."""

from __future__ import annotations

import httpx
import pytest

from benchmarks.peers.agreement import iou
from benchmarks.peers.masks import Masks
from loadtest.shots import Shot, shots


@pytest.fixture(scope="module")
def masks() -> Masks:
    return Masks(threads=1)


@pytest.fixture(scope="module")
def sent() -> list[Shot]:
    # Of several canvases, so that a batch has to be run in parts.
    return [Shot(shot.image, shot.boxes[:3]) for shot in shots() if len(shot.image) < 300_000][:4]


def test_one_request_is_answered_as_by_the_service(masks: Masks, sent: list[Shot], client: httpx.Client) -> None:
    query, headers = {"boxes": sent[0].query}, {"content-type": "image/jpeg"}
    answer = client.post("/v1/segment", params=query, content=sent[0].image, headers=headers).json()
    found = masks.one(sent[0].image, sent[0].query)
    assert [each["mask"] for each in found["instances"]] == [each["mask"] for each in answer["instances"]]
    assert [each["area"] for each in found["instances"]] == [each["area"] for each in answer["instances"]]


def test_a_batch_gives_each_request_its_own_masks(masks: Masks, sent: list[Shot]) -> None:
    batch = masks.many([(shot.image, shot.query) for shot in sent])
    alone = [masks.one(shot.image, shot.query) for shot in sent]
    for together, single in zip(batch, alone, strict=True):
        pairs = zip(together["instances"], single["instances"], strict=True)
        assert all(iou(ours["mask"], theirs["mask"]) > 0.999 for ours, theirs in pairs)


def test_masks_that_differ_are_seen() -> None:
    full, half = {"size": [2, 2], "counts": "04"}, {"size": [2, 2], "counts": "22"}
    assert iou(full, full) == 1.0
    assert iou(full, half) == 0.5
