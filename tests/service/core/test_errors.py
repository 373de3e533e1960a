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
def test_with_prefix_returns_a_copy_with_the_prefixed_field_and_detail(error: HisegError) -> None:
    before = dict(vars(error))
    copy = error.with_prefix("tasks[1]")
    assert type(copy) is type(error)
    assert copy.detail == f"tasks[1]: {error.detail}"
    assert copy.field == (f"tasks[1].{error.field}" if error.field else "tasks[1]")
    assert vars(copy) | {"detail": error.detail, "field": error.field} == before
    assert vars(error) == before
