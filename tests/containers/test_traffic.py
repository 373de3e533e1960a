"""What a step under load may cost, and what it reports."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.containers.traffic import Step
from tests.docker.load import Seen


def step(ended: str = "service 0", **seen: object) -> Step:
    """A step in which all went well, but for what is said."""
    well = {"http": Counter({"200": 9}), "grpc": Counter(OK=8), "results": 7, "lost": Counter(), "reconnected": 1}
    return Step(Seen(**(well | seen)), Counter([ended]))


def test_all_went_well() -> None:
    step().check()
    assert step().line() == (
        "9 requests, 8 calls, 7 frames; refused 0; failed 0; frames lost 0; reconnected 1; wrong masks 0; "
        "ended: service 0 x1"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        step(http=Counter({"200": 9, "502": 1})),
        step(http=Counter({"200": 9, "429": 2})),
        step(grpc=Counter({"OK": 8, "UNAVAILABLE": 1})),
        step(grpc=Counter()),
        step(results=0),
        step(wrong=1),
        step(lost=Counter(failed=1)),
        step(reconnected=3),
        step(ended="service 137"),
    ],
)
def test_what_went_wrong_fails(wrong: Step) -> None:
    with pytest.raises(AssertionError, match="requests"):
        wrong.check(reconnected=2)


def test_a_refusal_is_no_failure() -> None:
    some = step(http=Counter({"200": 90, "429": 1}), grpc=Counter({"OK": 8, "RESOURCE_EXHAUSTED: it would wait": 1}))
    some.check()
    assert (some.refused, some.failed.total()) == (2, 0)


def test_what_a_killed_replica_had_may_fail() -> None:
    step("service 137", http=Counter({"200": 9, "502": 2})).check(failed=2, ended={"service 137"})
