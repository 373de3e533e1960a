"""Run lengths are decoded in the browser as by pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.service.transports.http.playground.visitor import Visitor

DECODE = """async ([masks, scale]) => {
    const { coverage } = await import("/playground/rle.js");
    return masks.map((mask) => {
        const found = coverage(mask, scale);
        return found && { ...found, alpha: String.fromCharCode(...found.alpha) };
    });
}"""


def test_any_mask_is_decoded_to_the_pixel(visitor: Visitor) -> None:
    random = np.random.default_rng(0)
    masks = [np.zeros((7, 5), bool), np.ones((7, 5), bool), np.ones((1, 1), bool)]
    for _ in range(300):
        height, width = random.integers(1, 90, 2)
        mask = random.random((height, width)) < random.choice([0.02, 0.5, 0.98])
        mask[: random.integers(0, height), : random.integers(0, width)] = random.random() < 0.5
        masks.append(mask)
    wide = np.zeros((3, 40_000), bool)  # runs of more than 16 bits
    wide[1, 39_000:] = True
    masks.append(wide)
    for mask, found in zip(masks, visitor.page.evaluate(DECODE, [encoded(masks), 1]), strict=True):
        if not mask.any():
            assert found is None
            continue
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert (found["top"], found["left"]) == (rows[0], columns[0])
        inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert np.array_equal(alpha(found), inside * np.uint8(255))


@pytest.mark.parametrize("scale", [0.9, 0.43, 0.1])
def test_a_smaller_copy_has_the_share_that_is_covered(visitor: Visitor, scale: float) -> None:
    random = np.random.default_rng(1)
    full, mask = np.ones((211, 307), bool), random.random((211, 307)) < 0.5
    for given, found in zip((full, mask), visitor.page.evaluate(DECODE, [encoded([full, mask]), scale]), strict=True):
        y, x = (np.floor(np.arange(side) * scale).astype(int) for side in given.shape)
        covered, all_of_it = np.zeros((2, y[-1] + 1, x[-1] + 1))
        np.add.at(covered, (y[:, None], x), given)
        np.add.at(all_of_it, (y[:, None], x), 1)
        assert (found["left"], found["top"]) == (0, 0)
        assert np.abs(alpha(found) - 255 * covered / all_of_it).max() <= 1


def encoded(masks: list[np.ndarray]) -> list[dict[str, Any]]:
    rles = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    return [{"size": rle["size"], "counts": rle["counts"].decode()} for rle in rles]


def alpha(found: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(found["alpha"].encode("latin-1"), np.uint8).reshape(found["height"], found["width"])
