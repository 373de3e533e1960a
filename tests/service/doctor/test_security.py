"""The doctor says who may ask, who can listen, and which certificate has expired."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.access.keys import digest
from hiseg.doctor.finding import Level
from hiseg.doctor.security import check_certificates, check_exposure, check_keys
from hiseg.settings import Settings
from tests.service.core.certificates import self_signed

KEYS = (f"web:{digest('secret')}",)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"])
def test_a_service_of_this_machine_alone_needs_no_keys(host: str) -> None:
    assert check_exposure(Settings(host=host)).level is Level.OK


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "hiseg.example", "2001:db8::1"])
def test_a_service_of_a_network_is_warned_of_what_it_lacks(host: str, tmp_path: Path) -> None:
    finding = check_exposure(Settings(host=host))
    assert finding.level is Level.WARNING
    assert "no API keys" in finding.found
    assert "without TLS HTTP and gRPC" in finding.found
    cert, key = self_signed(tmp_path, "own")
    finding = check_exposure(Settings(host=host, api_keys=KEYS, http_tls_cert=cert, http_tls_key=key))
    assert "API keys" not in finding.found
    assert "without TLS gRPC" in finding.found
    tls = {"http_tls_cert": cert, "http_tls_key": key, "grpc_tls_cert": cert, "grpc_tls_key": key}
    assert check_exposure(Settings(host=host, api_keys=KEYS, **tls)).level is Level.OK  # type: ignore[arg-type]


def test_keys_that_cannot_be_used_are_wrong(tmp_path: Path) -> None:
    assert "everybody" in check_keys(Settings()).found
    assert check_keys(Settings(api_keys=KEYS)).found.startswith("1, of 1 client")
    assert check_keys(Settings(api_keys_file=tmp_path / "missing")).level is Level.WRONG


@pytest.mark.parametrize(("days", "level"), [(90, Level.OK), (3, Level.WARNING), (-1, Level.WRONG)])
def test_the_level_follows_the_time_that_is_left(days: int, level: Level, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path, "own", days)
    (finding,) = check_certificates(Settings(grpc_tls_cert=cert, grpc_tls_key=key))
    assert finding.level is level
    assert "gRPC" in finding.found


def test_a_pair_that_does_not_belong_together_is_wrong(tmp_path: Path) -> None:
    (cert, _), (_, key) = self_signed(tmp_path, "one"), self_signed(tmp_path, "two")
    (finding,) = check_certificates(Settings(http_tls_cert=cert, http_tls_key=key))
    assert finding.level is Level.WRONG
    assert not [*check_certificates(Settings())]
