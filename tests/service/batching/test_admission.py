"""Who is let in."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from service.batching.admission import Admission
from service.errors import Overloaded, Unavailable


def test_exactly_so_many_are_let_in() -> None:
    admission = Admission(3)
    with ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(admission.enter())
        with pytest.raises(Overloaded) as raised:
            inside.enter_context(admission.enter())
        assert (raised.value.limit, raised.value.value) == (3, 3)
        assert raised.value.retry_after >= 1
    assert admission.inside == 0


def test_a_failed_job_gives_its_place_back() -> None:
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="job"), admission.enter():
            raise RuntimeError("job")
    assert admission.inside == 0


def test_nobody_is_let_in_while_draining() -> None:
    admission = Admission(1)
    admission.draining = True
    with pytest.raises(Unavailable), admission.enter():
        pass
