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
        (
            "HISEG_API_KEYS",
            "",
            "api_keys (HISEG_API_KEYS) is empty; give it a value, or leave it out for its default",
        ),
        ("HISEG_MAX_BOXES", "0", "max_boxes (HISEG_MAX_BOXES): '0' is not over 0"),
        ("HISEG_MAX_BOXES", "9" * 30, f"max_boxes (HISEG_MAX_BOXES): '{'9' * 30}' is over 1000000"),
        ("HISEG_PORT", "abc", "port (HISEG_PORT): 'abc' is no whole number"),
        ("HISEG_PORT", "80.5", "port (HISEG_PORT): '80.5' is no whole number"),
        ("HISEG_PORT", "65536", "port (HISEG_PORT): '65536' is over 65535"),
        ("HISEG_GRPC_PORT", "-1", "grpc_port (HISEG_GRPC_PORT): '-1' is under 0"),
        ("HISEG_DRAIN_SECONDS", "soon", "drain_seconds (HISEG_DRAIN_SECONDS): 'soon' is no number"),
        ("HISEG_DRAIN_SECONDS", "nan", "drain_seconds (HISEG_DRAIN_SECONDS): 'nan' is no number"),
        ("HISEG_TRACING", "maybe", "tracing (HISEG_TRACING): 'maybe' is neither true nor false"),
        ("HISEG_LOG_FORMAT", "xml", "log_format (HISEG_LOG_FORMAT): 'xml' is not 'text' or 'json'"),
        (
            "HISEG_ENGINE",
            "cuda",
            "engine (HISEG_ENGINE): 'cuda' won't do: it is onnx, or triton://host:port, with commas between several",
        ),
        ("HISEG_PORT", "50051", "port and grpc_port are both 50051; each needs its own"),
    ],
)
def test_what_is_said(name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sentences(monkeypatch, **{name: value}) == [sentence]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("port = 3.5", "port (hiseg.toml): 3.5 is no whole number"),
        ("port = '8000x'", "port (hiseg.toml): '8000x' is no whole number"),
        ("port = true", "port (hiseg.toml): true won't do: true and false are no value of this setting"),
        ("host = 3", "host (hiseg.toml): 3 is no text"),
        ("cors_origins = 3", "cors_origins (hiseg.toml): 3 is no list"),
        ("log_format = []", "log_format (hiseg.toml): '[]' is not 'text' or 'json'"),
    ],
)
def test_what_is_said_of_the_file(line: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_text(line)
    assert sentences(monkeypatch) == [sentence]


def test_options_are_called_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_GRPC_PORT", "1")  # the option wins
    options = {"grpc_port": "x", "model_repository": 3}
    with pytest.raises(ValidationError) as caught:
        Settings(**options)  # type: ignore[arg-type]
    assert explain(caught.value, options) == [
        "grpc_port (--grpc-port): 'x' is no whole number",
        "model_repository (--repository): 3 is no text",
    ]


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
