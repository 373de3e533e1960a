"""Settings are read from the environment and a file, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hiseg.core.settings_sources import UnreadableFile
from hiseg.settings import MEBI, OF_OTHERS, Settings


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_text("port = 9000\nmax_boxes = 7\n")
    monkeypatch.setenv("HISEG_PORT", "9001")
    settings = Settings()
    assert (settings.port, settings.max_boxes) == (9001, 7)
    assert Settings(port=9002).port == 9002


def test_unknown_and_impossible_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_text("max_boxs = 7\n")
    with pytest.raises(ValidationError, match="max_boxs"):
        Settings()
    Path("hiseg.toml").unlink()
    with pytest.raises(ValidationError, match="image_threads"):
        Settings(image_threads=-1)
    with pytest.raises(ValidationError, match=r"max_boxes \(200\) is over max_batch_boxes \(128\)"):
        Settings(max_boxes=200)
    with pytest.raises(ValidationError, match="max_held_bytes"):
        Settings(max_held_bytes=1000)


@pytest.mark.parametrize(
    ("mebi", "held", "batch"), [(2048, 512, 64), (1024, 256, 32), (768, 192, 24), (64_000, 512, 64)]
)
def test_defaults_follow_the_memory_that_there_is(
    monkeypatch: pytest.MonkeyPatch, mebi: int, held: int, batch: int
) -> None:
    monkeypatch.setattr("hiseg.settings.available_memory", lambda: mebi * MEBI)
    assert (Settings().max_held_bytes, Settings().max_batch_bytes) == (held * MEBI, batch * MEBI)
    monkeypatch.setenv("HISEG_MAX_HELD_BYTES", str(300 * MEBI))
    assert Settings(max_batch_bytes=5).max_held_bytes == 300 * MEBI
    assert Settings(max_batch_bytes=5).max_batch_bytes == 5


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    assert Settings().trusted_proxies == ("10.0.0.0/8", "::1")
    assert Settings(trusted_proxies=("*",)).trusted_proxies == ("*",)
    with pytest.raises(ValidationError, match="loadbalancer"):
        Settings(trusted_proxies=("loadbalancer",))


@pytest.mark.parametrize("name", ["API_KEY_FILE", "MAX_HELD_BYTE", "PORTS", "FOO", "SERVICE", "API_KEY_"])
def test_unknown_variables_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HISEG_{name}", "1")
    with pytest.raises(ValidationError, match=f"HISEG_{name}\n"):
        Settings()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
@pytest.mark.parametrize("value", ["", " "])
def test_empty_variables_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HISEG_{name.upper()}", value)
    with pytest.raises(ValidationError, match=f"{name}\n"):
        Settings()


@pytest.mark.parametrize("name", ["api_keys", "cors_origins", "trusted_proxies"])
def test_a_list_without_entries_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HISEG_{name.upper()}", " , ,")
    with pytest.raises(ValidationError, match=f"{name}\n"):
        Settings()


def test_variables_of_other_programs_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*OF_OTHERS, "OTEL_HISEG", "HISEGMENT", "HISEG"):
        monkeypatch.setenv(name, "")
    Settings()


def test_links_to_a_kubernetes_service_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for service, port in (("HISEG", 8000), ("HISEG_GRPC", 50051)):
        monkeypatch.setenv(f"{service}_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setenv(f"{service}_SERVICE_PORT", f"{port}")
        monkeypatch.setenv(f"{service}_SERVICE_PORT_MAIN", f"{port}")
        monkeypatch.setenv(f"{service}_PORT", f"tcp://10.0.0.1:{port}")
        monkeypatch.setenv(f"{service}_PORT_{port}_TCP", f"tcp://10.0.0.1:{port}")
        for end, value in (("PROTO", "tcp"), ("PORT", port), ("ADDR", "10.0.0.1")):
            monkeypatch.setenv(f"{service}_PORT_{port}_TCP_{end}", f"{value}")
    settings = Settings()
    assert (settings.port, settings.grpc_port) == (8000, 50051)
    monkeypatch.setenv("HISEG_PORT", "9000")
    assert Settings().port == 9000
    monkeypatch.setenv("HISEG_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.delenv("HISEG_SERVICE_HOST")
    with pytest.raises(ValidationError, match="port"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_held_bytes", value) for value in ("512MiB", "1_000_000_000", "-1", "1e9", "0x20000000")),
        *(("drain_seconds", value) for value in ("inf", "nan", "1e300", "30s", "3_0")),
        *(("port", value) for value in ("65536", "-1", "true", "tcp://10.0.0.1:8000")),
        *(("api_key_rate", value) for value in ("inf", "1e-320", "-0.5")),
        *(("host", value) for value in ("1.2.3.4:80", "http://here", "a b", "[::1", "1::2::3", "[1.2.3.4]:1")),
        ("max_image_bytes", "2147483647"),
        ("threads", "100000"),
        *(("cors_origins", value) for value in ("example.com", "https://here/", "https://here/app", "Https://here")),
    ],
)
def test_values_that_mean_nothing_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HISEG_{name.upper()}", value)
    with pytest.raises(ValidationError, match=f"^1 validation error for Settings\n{name}\n"):
        Settings()


@pytest.mark.parametrize(
    ("host", "kept", "address"),
    [
        ("::1", "::1", "[::1]:1"),
        ("[::1]", "::1", "[::1]:1"),
        ("::", "::", "[::]:1"),
        ("0.0.0.0", "0.0.0.0", "0.0.0.0:1"),
        ("localhost", "localhost", "localhost:1"),
        ("fe80::1%eth0", "fe80::1%eth0", "[fe80::1%eth0]:1"),
        ("0:0:0:0:0:0:0:0", "::", "[::]:1"),
        ("[2001:DB8::0:1]", "2001:db8::1", "[2001:db8::1]:1"),
        ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1:1"),
    ],
)
def test_hosts_are_addresses_or_names(host: str, kept: str, address: str) -> None:
    settings = Settings(host=host, grpc_port=1)
    assert (settings.host, settings.grpc_address) == (kept, address)


def test_no_proxy_at_all_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_TRUSTED_PROXIES", "none")
    assert Settings().trusted_proxies == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"port = ", "isn't TOML"),
        (b"\xff", "isn't UTF-8"),
        (b"a=" + b"[" * 100_000, "isn't TOML"),
        (b"port=" + b"9" * 5000, "isn't TOML"),
        (b"#" * 2_000_000, "more than 1048576 bytes"),
        (b"port = true", "port\n"),
        (b'port = ["8000"]', "port\n"),
        (b'host = ""', "host\n"),
        (b"host = 5", "host\n"),
        (b"api_keys = []", "api_keys\n"),
        (b"[hiseg]\nport = 1", "hiseg\n"),
    ],
)
def test_a_file_that_says_nothing_sensible_is_refused(
    text: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_bytes(text)
    with pytest.raises((ValidationError, UnreadableFile), match=why):
        Settings()


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hiseg.toml").write_bytes(b"\xef\xbb\xbfport = 9_000")
    assert Settings().port == 9000
    Path("hiseg.toml").unlink()
    Path("hiseg.toml").mkdir()
    with pytest.raises(UnreadableFile, match="directory"):
        Settings()
    Path("hiseg.toml").rmdir()
    Path("hiseg.toml").symlink_to("nowhere")
    with pytest.raises(UnreadableFile, match="link to a file that isn't there"):
        Settings()
