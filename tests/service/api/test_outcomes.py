"""What a request is counted as that ended with an exception."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from hiseg.api.outcomes import ClientDisconnected, failure_of, log_bug
from hiseg.batching.latest import Superseded
from hiseg.core.errors import DeadlineExceeded, InternalError, TooLarge


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (None, None),
        (Superseded(), "superseded"),
        (ClientDisconnected(), "gone"),
        (asyncio.CancelledError(), "gone"),
        (KeyError("x"), "INTERNAL_ERROR"),
        (InternalError("1"), "INTERNAL_ERROR"),
    ],
)
def test_an_outcome_in_one_word(error: BaseException | None, failure: str | None) -> None:
    assert failure_of(error) == failure


def test_an_error_that_callers_may_see_is_itself() -> None:
    error = TooLarge("much")
    assert failure_of(error) is error


def test_a_request_that_is_cancelled_at_its_deadline_missed_it() -> None:
    assert isinstance(failure_of(asyncio.CancelledError(), time.monotonic()), DeadlineExceeded)
    assert failure_of(asyncio.CancelledError(), time.monotonic() + 60) == "gone"


def test_a_bug_is_logged_with_its_traceback_under_the_id_of_the_error(caplog: pytest.LogCaptureFixture) -> None:
    cause = KeyError("a secret")
    with caplog.at_level(logging.ERROR):
        error = log_bug(cause)
    (record,) = caplog.records
    assert record.getMessage().split()[-1] == error.id == str(error).split()[-1]
    assert record.exc_info
    assert record.exc_info[1] is cause
