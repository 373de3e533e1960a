"""An error can be copied for one part of a request without changing the original."""

from __future__ import annotations

import pytest

from hiseg.core.errors import HisegError, InvalidRequest, Overloaded, Unavailable

ERRORS = [
    InvalidRequest("it is empty", field="boxes[2]", limit=4, value=3),
    Overloaded("it would wait too long", reason="wait", retry_after=7, limit=1, value=2),
    Unavailable("no engine answers"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_within_returns_a_copy_with_the_prefixed_field_and_detail(error: HisegError) -> None:
    before = dict(vars(error))
    inner = error.within("tasks[1]")
    assert type(inner) is type(error)
    assert inner.detail == f"tasks[1]: {error.detail}"
    assert inner.field == (f"tasks[1].{error.field}" if error.field else "tasks[1]")
    assert vars(inner) | {"detail": error.detail, "field": error.field} == before
    assert vars(error) == before
