"""Logit margins are computed from both generations of mask outputs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiseg.engines.base import logit_margins


@given(hnp.arrays(np.float32, (2, 3, 4, 5), elements=st.floats(-50, 50, width=32)))
def test_positive_exactly_where_argmax_is_the_target(logits: np.ndarray) -> None:
    clear = (np.sort(logits, axis=1)[:, -1] > np.sort(logits, axis=1)[:, -2]).astype(bool)
    np.testing.assert_array_equal((logit_margins(logits) > 0)[clear], (logits.argmax(1) == 1)[clear])


def test_zero_one_masks() -> None:
    masks = np.array([[[[0, 1], [1, 0]]]], dtype=np.float32)
    np.testing.assert_array_equal(logit_margins(masks), [[[-8, 8], [8, -8]]])
