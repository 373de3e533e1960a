"""Outlines in every form that tools write become the masks that pycocotools makes of COCO's own form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from hiseg.core.fields import Unclear
from hiseg_training.data.segmentation import decode_counts, to_rle

HEIGHT, WIDTH = 40, 50
RING = [5, 10, 25, 10, 25, 30, 5, 30]
MASK = np.asarray(coco_mask.decode(coco_mask.frPyObjects([RING], HEIGHT, WIDTH)[0]))
PAIRS = [[5, 10], [25, 10], [25, 30], [5, 30]]
RUNS = [5 * 40 + 10, *[20, 20] * 19, 20, 25 * 40 + 10]
SIZE = [HEIGHT, WIDTH]
TEXT = coco_mask.encode(np.asfortranarray(MASK))["counts"].decode()


def run_lengths(size: Any = SIZE, counts: Any = TEXT) -> dict[str, Any]:
    return {"size": size, "counts": counts}


PLAIN = {
    "COCO's own": [RING],
    "flat": RING,
    "numbers as text": [[str(value) for value in RING]],
    "flat, as text": [f"{value:.1f}" for value in RING],
    "points as pairs": [PAIRS],
    "one polygon of pairs": PAIRS,
    "pairs of text": [[[str(x), str(y)] for x, y in PAIRS]],
    "points as objects": [{"x": x, "y": y} for x, y in PAIRS],
    "polygons of objects": [[{"x": x, "y": y} for x, y in PAIRS]],
    "a ring of two points in front": [[1, 1, 2, 2], RING],
    "a ring of two points behind": [RING, [1, 1, 2, 2]],
    "a point, and nothing, beside it": [[7, 7], RING, []],
    "an empty ring in front": [[], RING],
    "a ring along a line": [[1, 1, 2, 1, 3, 1], RING],
    "closed": [[*RING, *RING[:2]]],
    "in two parts": [[5, 10, 25, 10, 25, 20, 5, 20], [5, 20, 25, 20, 25, 30, 5, 30]],
    "JSON as text": str([RING]),
    "runs": run_lengths(counts=RUNS),
    "runs as text": run_lengths(counts=[str(run) for run in RUNS]),
    "runs with points": run_lengths([40.0, 50.0], [float(run) for run in RUNS]),
    "compressed": run_lengths(),
    "compressed, size as text": run_lengths(["40", "50.0"]),
    "compressed bytes": run_lengths(counts=TEXT.encode()),
    "Python's bytes as text": run_lengths(counts=str(TEXT.encode())),
    "a list of run lengths": [run_lengths()],
}


@pytest.mark.parametrize("form", PLAIN)
def test_what_is_plainly_meant_is_read(form: str) -> None:
    rle = to_rle(PLAIN[form], HEIGHT, WIDTH)
    assert rle is not None
    np.testing.assert_array_equal(coco_mask.decode(rle), MASK)


@pytest.mark.parametrize(
    "segmentation",
    [
        *(None, [], {}, "", [[]], [[], []], [[1, 1, 2, 2]], [1, 1, 2, 2], [[3, 4]], [[1, 1, 2, 1, 3, 1]]),
        *([[60, 10, 70, 10, 70, 30]], run_lengths(counts=[HEIGHT * WIDTH])),
    ],
)
def test_what_encloses_no_pixel_is_no_outline(segmentation: Any) -> None:
    assert to_rle(segmentation, HEIGHT, WIDTH) is None


UNCLEAR = {
    "odd": ([RING[:-1]], r"\[0\] has 7 numbers, but x and y go in pairs"),
    "odd, second": ([RING, RING[:-1]], r"\[1\] has 7 numbers"),
    "flat and odd": (RING[:-1], "has 7 numbers"),
    "NaN": ([[*RING[:-1], float("nan")]], "nan, which is no place"),
    "infinite": ([[*RING[:-1], float("inf")]], "inf, which is no place"),
    "NaN as text": ([[*RING[:-1], "nan"]], "nan, which is no number"),
    "null": ([[*RING[:-1], None]], "null, which is no number"),
    "truth": ([[*RING[:-1], True]], "true, which is no number"),
    "words": ([[*RING[:-1], "left"]], "'left', which is no number"),
    "underscore": ([[*RING[:-1], "1_1"]], "'1_1', which is no number"),
    "comma": ([[*RING[:-1], "1,5"]], "'1,5', which is no number"),
    "far away": ([[*RING[:-1], 1e9]], "1000000000.0, which is no place"),
    "triples": ([[[1, 2, 3], [4, 5, 6]]], "which is no point"),
    "a path": ("mask.png", "neither polygons nor run lengths"),
    "JSON that breaks off": ("[[1, 2", "which is no outline"),
    "truth alone": (True, "neither polygons nor run lengths"),
    "other keys": ({"points": RING}, "neither polygons nor run lengths"),
    "no size": ({"counts": TEXT}, "size null, which is not"),
    "swapped": (run_lengths([WIDTH, HEIGHT]), "40 x 50 pixels, its image has 50 x 40.*is the order"),
    "another resolution": (run_lengths([80, 100]), "100 x 80 pixels, its image has 50 x 40"),
    "a size of words": (run_lengths(["h", "w"]), "which is not .height, width."),
    "too few runs": (run_lengths(counts=RUNS[:-1]), "runs of 990 pixels in all, its image of 50 x 40 has 2000"),
    "too many runs": (run_lengths(counts=[*RUNS, 5]), "runs of 2005 pixels"),
    "too few, compressed": (run_lengths(counts=TEXT[:-3]), "pixels in all"),
    "no runs": (run_lengths(counts=[]), "runs of 0 pixels"),
    "a negative run": (run_lengths(counts=[-5, *RUNS[1:]]), "negative"),
    "a broken run": (run_lengths(counts=[1.5, *RUNS[1:]]), r"counts\[0\] that is 1.5"),
    "a run of null": (run_lengths(counts=[None, *RUNS]), r"counts\[0\] that is null"),
    "junk": (run_lengths(counts="hello, world"), "no run lengths"),
    "base64": (run_lengths(counts="eJzLSM3JyVcozy/KSQEAGgsEXQ=="), "no run lengths|pixels in all|negative|32 bits"),
    "other letters": (run_lengths(counts="人"), "no run lengths"),
    "empty text": (run_lengths(counts=""), "no run lengths"),
    "endless": (run_lengths(counts="o" * 50 + "0"), "32 bits"),
    "a number": (run_lengths(counts=7), "neither a text nor a list"),
}


@pytest.mark.parametrize("form", UNCLEAR)
def test_what_is_not_plain_is_said(form: str) -> None:
    segmentation, said = UNCLEAR[form]
    with pytest.raises(Unclear, match=said) as raised:
        to_rle(segmentation, HEIGHT, WIDTH)
    assert "\n" not in str(raised.value)


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1)))
def test_compressed_runs_are_those_of_the_mask(mask: Any) -> None:
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    found = decode_counts(coco_mask.encode(np.asfortranarray(mask))["counts"])
    assert found.tolist() == [0, *runs] if flat[0] else runs


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.just(TEXT),
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["counts", "size", "x", "y"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_stands_there_is_a_mask_of_the_images_size_or_unclear(segmentation: Any) -> None:
    try:
        rle = to_rle(segmentation, HEIGHT, WIDTH)
    except Unclear:
        return
    assert rle is None or coco_mask.decode(rle).shape == (HEIGHT, WIDTH)
