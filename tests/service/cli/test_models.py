"""``hiseg models`` lists the models; ``check`` is tested with :mod:`hiseg.models.inspect`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.paths import PUBLISHED, ROOT
from benchmarks.harness.repository import REPOSITORY
from hiseg.cli.models import in_words
from tests.service.cli.running import assert_one_line, call, hiseg


def test_models_lists_what_there_is() -> None:
    listed = call("models", "--repository", REPOSITORY).text
    assert listed.splitlines()[0] == f"{REPOSITORY} (as --repository says)"
    assert "hiseg_b0  version 1  variant b0  mask 128x96  fp" in listed
    assert "MB  (default)" in listed
    assert "384x640" in listed
    assert "measured: mean IoU 0." in listed


def test_the_first_line_says_which_models_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hiseg("models").stdout.startswith(f"{PUBLISHED} (found in the working folder)\n")
    monkeypatch.chdir(tmp_path)
    assert call("models").text.splitlines()[0].endswith(" (the models that come with hiseg)")
    monkeypatch.setenv("HISEG_MODEL_REPOSITORY", str(REPOSITORY))
    monkeypatch.setenv("HISEG_DEFAULT_VARIANT", "b9")
    by_setting = call("models")
    assert by_setting.text.startswith(f"{REPOSITORY} (as the setting model_repository says)\n")
    assert_one_line(by_setting.err, "no model is of the default variant, b9")
    assert "(default)" not in by_setting.text


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"mean IoU on val": 0.7831, "mean IoU on ood": 0.8464}, "mean IoU 0.783 (val), 0.846 (ood)"),
        ({"mean IoU on val": 0.5, "people": 12, "AP on val": 0.25}, "mean IoU 0.500 (val); people 12; AP 0.250 (val)"),
        ("good", "good"),
        ({}, ""),
        (None, ""),
    ],
)
def test_figures_are_said_in_words(metrics: object, words: str) -> None:
    assert in_words(metrics) == words


def test_a_model_is_checked_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (line, *_) = call("models", "check", "hiseg_b0", "--threads", "1").text.splitlines()
    assert line.startswith("model_repository/hiseg_b0/")
    assert "keeps the tensor contract" in line
    said = call("models", "check", "hiseg_b9", expect=1).err
    assert_one_line(said, "'hiseg_b9' is neither a file nor a model; there is hiseg_b0, hiseg_b1")


def test_a_broken_model_is_named_and_the_others_are_listed(tmp_path: Path) -> None:
    for name in ("a_broken", "z_broken"):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1" / "model.onnx").write_bytes(bytes(range(256)))
    (tmp_path / "a_folder" / "1" / "model.onnx").mkdir(parents=True)
    (tmp_path / "hiseg_b0").symlink_to(REPOSITORY / "hiseg_b0")
    done = call("models", "--repository", tmp_path, expect=1)
    assert "hiseg_b0  version 1" in done.text
    said = done.err.splitlines()
    assert [name in line for name, line in zip(("a_broken", "a_folder", "z_broken"), said, strict=True)] == [True] * 3


def test_a_missing_repository_is_an_error_of_one_line() -> None:
    assert_one_line(call("models", "--repository", "nowhere", expect=1).err, "nowhere")
