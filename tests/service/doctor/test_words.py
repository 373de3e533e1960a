"""Every setting that is refused gets one sentence, without a secret and of a bounded length."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hiseg.doctor.words import explain
from hiseg.settings import Settings


def sentences(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    return explain(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HISEG_API_KEY_FILE", "x", "HISEG_API_KEY_FILE is no setting; did you mean HISEG_API_KEYS_FILE?"),
        ("HISEG_MAX_HELD_BYTE", "1", "HISEG_MAX_HELD_BYTE is no setting; did you mean HISEG_MAX_HELD_BYTES?"),
        ("HISEG_XYZ", "1", "HISEG_XYZ is no setting"),
        ("HISEG_API_KEYS", "", "api_keys: HISEG_API_KEYS is empty; give it a value, or leave it out for its default"),
        ("HISEG_MAX_BOXES", "0", "max_boxes: Input should be greater than 0; HISEG_MAX_BOXES is '0'"),
    ],
)
def test_what_is_said(name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sentences(monkeypatch, **{name: value}) == [sentence]


def test_names_in_the_file_have_no_prefix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_text("HISEG_PORT = 3\n")
    assert sentences(monkeypatch) == ["HISEG_PORT (hiseg.toml) is no setting; did you mean port?"]


def test_every_setting_at_fault_has_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sentences(monkeypatch, HISEG_PORT="x" * 100_000, HISEG_HOST="", **{"HISEG_" + "Y" * 50_000: "1"})
    assert len(found) == 3
    assert all(len(sentence) < 250 and "\n" not in sentence for sentence in found)


def test_no_key_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sentences(monkeypatch, HISEG_API_KEYS="correct-horse, web:battery-staple")
    assert "entry 1" in first
    assert "entry 2" in second
    assert not {"correct-horse", "battery-staple"} & {*(first + second).split()}
    assert "horse" not in first + second
    assert "staple" not in first + second
