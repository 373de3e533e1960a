"""``hiseg models`` lists the models; ``check`` is tested with :mod:`hiseg.models.inspect`."""

from __future__ import annotations

from benchmarks.harness.repository import REPOSITORY
from tests.service.cli.running import assert_one_line, hiseg


def test_models_lists_what_there_is() -> None:
    listed = hiseg("models", "--repository", REPOSITORY).stdout
    assert "hiseg_b0  version 1  variant b0  mask 128x96" in listed
    assert "384x640" in listed
    assert "mean IoU on val" in listed


def test_a_missing_repository_is_an_error_of_one_line() -> None:
    assert_one_line(hiseg("models", "--repository", "nowhere", expect=1).stderr, "nowhere")
