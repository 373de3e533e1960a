"""`https` and `grpcs` with a private certificate authority, and with a client certificate."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from hiseg.client import ConnectionFailed, ConnectionLost, Tls
from tests.service.client import scripted_servers
from tests.service.client.calls import KINDS, segment
from tests.service.client.scripted_servers import Heard, Step

ANSWERS = [Step()]
ONE_TRY: dict[str, Any] = {"retries": 0}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of localhost, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    wanted = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    output = ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([openssl, *wanted, *names, *output], check=True, capture_output=True)
    return files


@contextmanager
def secure(scheme: str, files: tuple[Path, Path], mutual: bool = False) -> Iterator[Heard]:
    certificate, key = files
    if scheme == "grpcs":
        ca = certificate.read_bytes()
        pair = key.read_bytes(), ca
        credentials = grpc.ssl_server_credentials([pair], ca if mutual else None, require_client_auth=mutual)
        with scripted_servers.grpc_server(ANSWERS, credentials) as heard:
            yield heard
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate if mutual else None)
    context.load_cert_chain(certificate, key)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
    with scripted_servers.http(ANSWERS, context) as heard:
        yield heard


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_a_private_certificate_authority(certificate: tuple[Path, Path], kind: str, scheme: str) -> None:
    with secure(scheme, certificate) as server:
        assert segment(kind, server.url, b"image", [], {"tls": Tls(ca=certificate[0])}).width == 4
        with pytest.raises(ConnectionFailed):
            segment(kind, server.url, b"image", [], ONE_TRY)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_a_client_certificate(certificate: tuple[Path, Path], kind: str, scheme: str) -> None:
    path, key = certificate
    with secure(scheme, certificate, mutual=True) as server:
        shown = Tls(ca=path, certificate=path, key=key)
        assert segment(kind, server.url, b"image", [], {"tls": shown}).width == 4
        with pytest.raises((ConnectionFailed, ConnectionLost)):
            segment(kind, server.url, b"image", [], ONE_TRY | {"tls": Tls(ca=path)})
    assert len(server.times) == 1


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its key"):
        Tls(certificate="certificate.pem")


@pytest.mark.parametrize("kind", KINDS)
def test_plain_urls_take_no_certificates(kind: str) -> None:
    for url in ("http://127.0.0.1:1", "grpc://127.0.0.1:1"):
        with pytest.raises(ValueError, match="tls is for"):
            segment(kind, url, b"", [], {"tls": Tls()})
