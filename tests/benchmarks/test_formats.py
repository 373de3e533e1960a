"""Masks of a hundred people in twelve megapixels take little memory: they are drawn and encoded crop by crop."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.formats import hundred_people
from hiseg.api.encoding import MaskFormat

MOST_MB = {MaskFormat.COCO_RLE: 50, MaskFormat.POLYGON: 50, MaskFormat.LABEL_MAP: 250, MaskFormat.CUTOUT: 250}
"""A bool for each of the image's pixels and each of the people were 1200."""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("form", MOST_MB)
def test_masks_of_a_hundred_people_take_little_memory(form: MaskFormat) -> None:
    # A process of its own: one that has worked before may hold memory that would hide the peak.
    with get_context("spawn").Pool(1) as processes:
        _, above = processes.apply(hundred_people, (form, 1))
    assert above < MOST_MB[form]
