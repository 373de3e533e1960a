"""Mixes of sizes and people are parsed from the command line."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hiseg.bench.mix import parse_people, parse_sizes
from hiseg.core.command_errors import BadOption


def test_sizes_with_and_without_weights() -> None:
    mix = parse_sizes("640x480:3, 1280x720")
    assert mix.values == ((640, 480), (1280, 720))
    assert mix.weights == (3, 1)


def test_a_range_shares_its_weight_out() -> None:
    assert parse_people("1-4").weights == (0.25,) * 4
    mix = parse_people("0:1.5,2-3:1")
    assert mix.values == (0, 2, 3)
    assert mix.weights == (1.5, 0.5, 0.5)


def test_values_are_drawn_by_weight_and_seed() -> None:
    mix = parse_people("1:3,7:1")
    drawn = mix.draw(4000, np.random.default_rng(1))
    assert Counter(drawn)[1] == pytest.approx(3000, rel=0.05)
    assert drawn == mix.draw(4000, np.random.default_rng(1))
    assert drawn != mix.draw(4000, np.random.default_rng(2))


@pytest.mark.parametrize("text", ["", "640", "640x", "640x480:", "640x480:x", "640x480:0", "0x480", "99999x1", "-1x2"])
def test_a_wrong_size_is_named(text: str) -> None:
    with pytest.raises(BadOption) as caught:
        parse_sizes(f"320x240,{text}")
    assert str(caught.value).startswith(f"--sizes: {text!r}")


@pytest.mark.parametrize("text", ["", "x", "3-1", "1-", "-1", "1:1:1", "2:-1", "1001", "1-99999999999", "1.5"])
def test_a_wrong_number_of_people_is_named(text: str) -> None:
    with pytest.raises(BadOption) as caught:
        parse_people(f"1,{text}")
    assert str(caught.value).startswith(f"--people: {text!r}")
