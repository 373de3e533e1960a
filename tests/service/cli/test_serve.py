"""``hiseg serve`` ends with an error when it can't start; the rest is tested with the service itself."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from benchmarks.harness.paths import SAMPLE
from hiseg.core.listening import bracketed
from tests.service.cli.running import assert_one_line, call, hiseg
from tests.service.core.certificates import self_signed

FREE = ("serve", "--port", "0", "--grpc-port", "0")


def test_a_service_without_models_says_so_and_ends(tmp_path: Path) -> None:
    (line,) = hiseg(*FREE, "--repository", "nowhere", expect=2).stderr.splitlines()
    assert "there is no folder" in line
    assert "nowhere" in line
    (line,) = hiseg(*FREE, "--repository", str(tmp_path), expect=2).stderr.splitlines()
    assert "no model (name/version/model.onnx)" in line
    assert "HISEG_MODEL_REPOSITORY" in line


def test_a_service_without_a_runtime_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("hiseg.doctor.provider.installed_runtimes", list)
    monkeypatch.setattr("hiseg.observability.logs.configure_logging", lambda form: None)
    assert_one_line(call("serve", expect=2).err, "there is no ONNX Runtime")


def test_a_service_with_a_broken_model_ends_before_it_says_that_it_runs(tmp_path: Path) -> None:
    (tmp_path / "hiseg_x" / "1").mkdir(parents=True)
    (tmp_path / "hiseg_x" / "1" / "model.onnx").write_bytes(b"no model")
    error = hiseg(*FREE, "--repository", str(tmp_path), expect=2).stderr
    assert "hiseg_x" in error.splitlines()[-1]
    assert "running" not in error
    assert "Ready" not in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("host", "option", "transport"), [("127.0.0.1", "--port", "HTTP"), ("::1", "--grpc-port", "gRPC")]
)
def test_a_port_that_is_taken_is_said_in_one_line(host: str, option: str, transport: str) -> None:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as other:
        port = str(other.getsockname()[1])
        error = hiseg(*FREE, "--host", host, option, port, expect=2).stderr
    lines = [line for line in error.splitlines() if "API keys" not in line]
    where = f"{bracketed(host)}:{port}"
    setting = option.removeprefix("--").replace("-", "_")
    assert lines == [
        f"hiseg: {transport} on {where} can't be had: Address already in use. "
        f"End what listens there (`ss -ltnp` shows it), or set {setting} or host to another."
    ]


@pytest.mark.parametrize("host", ["..", "a" * 64, "192.0.2.1", "nowhere.invalid"])
def test_a_host_that_is_not_this_machine_is_said_in_one_line(host: str) -> None:
    lines = hiseg(*FREE, "--host", host, expect=2).stderr.splitlines()
    assert lines[-1].startswith(f"hiseg: HTTP on {host}:0 can't be had: ")
    assert "Set host to an address of this machine" in lines[-1]
    assert len(lines) == 3, "besides the warning that others can reach it, and the line about keys"


@pytest.mark.parametrize("path", ["/" + "a" * 5000, "/no\nwhere"])
def test_paths_that_cannot_be_are_folders_that_are_not_there(path: str) -> None:
    (line,) = hiseg(*FREE, "--repository", path, expect=2).stderr.splitlines()
    assert line.startswith("hiseg: there is no folder /")


@pytest.mark.parametrize("transport", ["HTTP", "gRPC"])
def test_authorities_that_cannot_be_used_are_said_in_one_line(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    self_signed(tmp_path, "own", 5)
    (tmp_path / "ca").write_text("nothing of use")
    prefix = f"HISEG_{transport.upper()}_TLS_"
    files = {"CERT": "own.crt", "KEY": "own.key", "CLIENT_CA": "ca"}
    settings = {prefix + name: str(tmp_path / file) for name, file in files.items()}
    (line,) = hiseg(*FREE, expect=2, **settings).stderr.splitlines()
    assert f"{transport} can't be had with TLS: the clients' CA {tmp_path / 'ca'} has no certificate in PEM" in line
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert f"{transport}: the clients' CA" in call("doctor", expect=1).text


@pytest.mark.parametrize("command", ["serve", "doctor"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"port = \n", "hiseg.toml isn't TOML: Invalid value (at line 1, column 8)"),
        (b"port = 1\nport = 2\n", "hiseg.toml isn't TOML: Cannot overwrite a value (at line 2, column 9)"),
        ("port = 1".encode("utf-16"), "hiseg.toml isn't UTF-8 text"),
        (b"\xef\xbb\xbfport = 'abc'\r\n", "port (hiseg.toml): 'abc' is no whole number"),
        (b"[service]\nport = 1\n", "service (hiseg.toml) is no setting"),
    ],
)
def test_a_file_of_settings_that_cannot_be_used_is_said_in_one_line(
    command: str, content: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hiseg.toml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    done = call(command, expect=2 if command == "serve" else 1)
    assert why in (done.text + done.err).splitlines()[0]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "command", [("serve",), ("models",), ("run", str(SAMPLE), "--mode", "binary"), ("video", "none.mp4"), ("doctor",)]
)
def test_refused_settings_end_every_command_that_reads_them(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISEG_API_KEY_FILE", "keys")
    monkeypatch.setenv("HISEG_HOST", "")
    done = call(*command, expect=1 if command == ("doctor",) else 2)
    told = done.text + done.err
    assert "HISEG_API_KEY_FILE is no setting; did you mean HISEG_API_KEYS_FILE?" in told
    assert "host (HISEG_HOST) is empty" in told
    assert "Traceback" not in told
    if command != ("doctor",):
        assert len(told.splitlines()) == 2
