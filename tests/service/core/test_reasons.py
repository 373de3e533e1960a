"""The words that say why a request was refused: each has one kind of error, one status and one line in the docs."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

import pytest

from hiseg.core import errors
from hiseg.core.reasons import RETRY_HELPS, Reason
from hiseg.transports.grpc.status import CODES
from hiseg.transports.http.problems import FRAMEWORK_REASONS, STATUS

DOCS = Path(__file__).parents[3] / "docs" / "inputs.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| *(\d*) *\| *([A-Z_]*) *\| (.+) \| (.+) \|$", re.MULTILINE)
KINDS = {reason: kind for kind in (*STATUS, *CODES) for reason in kind.reasons}
OF_FRAMEWORK = {reason: status for status, reason in FRAMEWORK_REASONS.items()}


def documented() -> dict[str, tuple[str, str, str]]:
    """Status, code and advice by reason, as the docs have them."""
    section = DOCS.read_text(encoding="utf-8").partition("## Errors and their reasons")[2].partition("\n## ")[0]
    return {reason: (status, code, retry) for reason, status, code, _, retry in ROW.findall(section)}


def test_every_reason_is_documented_in_order_and_no_other() -> None:
    assert list(documented()) == [reason.value for reason in Reason]


@pytest.mark.parametrize("reason", Reason)
def test_the_docs_say_what_is_answered(reason: Reason) -> None:
    status, code, retry = documented()[reason]
    assert status or code
    if status:
        assert HTTPStatus(int(status)) == OF_FRAMEWORK.get(reason) or HTTPStatus(int(status)) is STATUS[KINDS[reason]]
    if code:
        assert code == (CODES[KINDS[reason]].name if reason in KINDS else reason)
    assert (retry == "yes") == (reason in RETRY_HELPS)


def test_every_reason_belongs_to_one_kind_of_error_or_to_the_framework() -> None:
    reasons = [reason for kind in {*STATUS, *CODES} for reason in kind.reasons] + list(FRAMEWORK_REASONS.values())
    assert sorted(reasons) == sorted(Reason)


def test_an_error_has_the_usual_reason_of_its_kind_unless_it_is_told_another() -> None:
    assert errors.TooLarge("much").reason is Reason.TOO_LARGE
    error = errors.TooLarge("many", reason=Reason.TOO_MANY_BOXES)
    assert error.reason is Reason.TOO_MANY_BOXES
    assert error.with_prefix("tasks[1]").reason is Reason.TOO_MANY_BOXES
    assert errors.Unavailable("nobody").reason is Reason.NO_ENGINE
