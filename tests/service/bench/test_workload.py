"""The requests of a run have the configured images, boxes and callers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import SAMPLE
from hiseg.bench.mix import parse_people, parse_sizes
from hiseg.bench.photos import make_photos
from hiseg.bench.workload import Workload, person_box
from hiseg.core.command_errors import BadOption


@pytest.mark.parametrize("photo", [None, SAMPLE])
def test_requests_follow_the_mixes(photo: Path | None) -> None:
    workload = Workload(parse_sizes("64x48,90x160:2"), parse_people("0-3"), {"mask_format": "png"}, 1, photo)
    requests = workload.requests(np.random.default_rng(0))
    assert requests == workload.requests(np.random.default_rng(0))
    assert [request.number for request in requests] == list(range(len(requests)))
    assert {request.people for request in requests} == {0, 1, 2, 3}
    assert {request.caller for request in requests} == {None}
    images = {request.image for request in requests}
    assert {PIL.Image.open(io.BytesIO(image)).size for image in images} == {(64, 48), (90, 160)}


def test_callers_take_turns() -> None:
    requests = Workload(parse_sizes("8x8"), parse_people("1"), {}, 3).requests(np.random.default_rng(0))
    assert [request.caller for request in requests[:4]] == ["198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.1"]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (640, 480)])
def test_boxes_lie_inside(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        x1, y1, x2, y2 = person_box(*size, random)
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]


def test_a_synthetic_photo_weighs_what_a_photo_does() -> None:
    photos = make_photos([(640, 480)], None, np.random.default_rng(0))
    assert 45_000 < len(photos[640, 480]) < 80_000


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.jpg"
    path.write_text("no")
    with pytest.raises(BadOption, match=r"--photo: .*no\.jpg.* can't be read"):
        make_photos([(8, 8)], path, np.random.default_rng(0))
