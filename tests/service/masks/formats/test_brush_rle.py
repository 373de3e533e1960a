"""Label Studio's brush masks are decoded by its own converter and by a decoder of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.result import CropMask
from hiseg.masks.formats.brush_rle import brush_rle


def whole(mask: CropMask, width: int, height: int) -> np.ndarray:
    pixels = np.zeros((height, width), np.bool_)
    rows, columns = mask.pixels.shape
    pixels[mask.top : mask.top + rows, mask.left : mask.left + columns] = mask.pixels
    return pixels


def read(rle: list[int], width: int, height: int) -> np.ndarray:
    """rle-pack as its authors describe it, bit by bit."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    count, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < count:
        is_run = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if is_run else [take(word) for _ in range(length)]
    channels = np.array(values, np.uint8).reshape(height, width, 4)
    assert (channels == channels[..., :1]).all()
    return channels[..., 3] > 0


@st.composite
def masks(draw: st.DrawFn) -> tuple[CropMask, int, int]:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    rows, columns = draw(st.integers(0, height - top)), draw(st.integers(0, width - left))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return CropMask(left, top, random.random((rows, columns)) < draw(st.sampled_from([0, 0.1, 0.5, 1]))), width, height


@given(masks())
def test_what_is_written_is_read(drawn: tuple[CropMask, int, int]) -> None:
    mask, width, height = drawn
    rle = brush_rle(mask, width, height)
    assert all(0 <= byte <= 255 for byte in rle)
    np.testing.assert_array_equal(read(rle, width, height), whole(mask, width, height))


def test_runs_longer_than_a_record_are_split() -> None:
    width, height = 600, 400
    mask = CropMask(0, 200, np.ones((150, 600), np.bool_))  # runs of 120,000, 90,000 and 30,000 pixels
    np.testing.assert_array_equal(read(brush_rle(mask, width, height), width, height), whole(mask, width, height))


def test_label_studio_s_converter_reads_them(tools: Callable[..., str], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    crops = [
        (CropMask.empty(), 9, 7),
        (CropMask(0, 0, np.ones((7, 9), np.bool_)), 9, 7),
        (CropMask(0, 0, np.ones((1, 1), np.bool_)), 1, 1),
        (CropMask(3, 2, random.random((90, 60)) < 0.7), 120, 100),
        (CropMask(50, 40, np.hypot(*np.ogrid[-60:60, -50:50]) < 50), 300, 200),
    ]
    cases = [{"rle": brush_rle(*case), "width": case[1], "height": case[2]} for case in crops]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    tools("decode_brush.py", tmp_path / "cases.json", tmp_path / "masks.npz")
    with np.load(tmp_path / "masks.npz") as found:
        for index, case in enumerate(crops):
            np.testing.assert_array_equal(found[str(index)], whole(*case))
