"""Certificates tell until when they are valid, and are renewed without a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.harness.serving import serving
from hiseg.core.certificate import Certificate, CertificateUnusable, check_authorities, watching
from hiseg.core.settled_files import SETTLED_S
from tests.service.core.certificates import self_signed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name, days in (("good", 90), ("soon", 5), ("expired", -1)):
        self_signed(folder, name, days)
    (folder / "bundle.crt").write_bytes((folder / "good.crt").read_bytes() + (folder / "soon.crt").read_bytes())
    return folder


@pytest.mark.parametrize(("name", "problem"), [("good", ""), ("soon", "in 5.0 days"), ("expired", "expired on 20")])
def test_what_is_said_of_its_time(folder: Path, name: str, problem: str) -> None:
    certificate = Certificate("HTTP", folder / f"{name}.crt", folder / f"{name}.key")
    said = certificate.problem(time.time())
    assert problem in said
    assert bool(said) == bool(problem)
    assert "is valid from" in certificate.problem(0)


def test_files_that_are_no_certificate_are_refused(folder: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(b"noise")
    for cert, key in (("good", "soon"), ("names", "good"), ("missing", "good"), ("good", "missing")):
        paths = [folder / f"{cert}.crt", folder / f"{key}.key"]
        with pytest.raises(CertificateUnusable, match="the certificate"):
            Certificate("HTTP", *paths)
    with pytest.raises(CertificateUnusable):
        Certificate("HTTP", noise, noise)


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("good.key", "good.crt", "good.key has no certificate in PEM"),
        ("good.crt", "good.crt", "good.crt has no private key in PEM"),
        ("good.crt", "soon.key", "they don't belong together"),
        ("good.crt", "missing", "missing: No such file or directory"),
        ("good.crt", "locked", "locked is locked with a password"),
        ("good.crt", "half", "one of them is damaged"),
    ],
)
def test_it_says_in_plain_words_which_file_cannot_be_used(
    folder: Path, tmp_path: Path, cert: str, key: str, said: str
) -> None:
    for each in ("good.crt", "good.key", "soon.key"):
        shutil.copy(folder / each, tmp_path)
    lines = (folder / "good.key").read_text().splitlines(keepends=True)
    (tmp_path / "half").write_text(lines[0] + lines[1][:20] + "\n" + lines[-1])
    unlocked = tmp_path / "good.key"
    openssl = ("openssl", "pkey", "-aes128", "-passout", "pass:word", "-in", unlocked, "-out", tmp_path / "locked")
    subprocess.run(openssl, check=True, capture_output=True)
    with pytest.raises(CertificateUnusable) as caught:
        Certificate("HTTP", tmp_path / cert, tmp_path / key)
    assert str(caught.value).endswith(said) or f"{said}, " in str(caught.value)
    assert "_ssl.c" not in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_file_of_authorities_has_at_least_one(folder: Path, tmp_path: Path) -> None:
    check_authorities(folder / "bundle.crt")
    for name, content in (
        ("empty", b""),
        ("text", b"nothing of use"),
        ("key", (folder / "good.key").read_bytes()),
        ("half", (folder / "good.crt").read_bytes()[:300]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CertificateUnusable, match=f"{name} has no certificate in PEM"):
            check_authorities(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("missing", "No such file"), ("pipe", "no regular file"), (".", "Is a directory")):
        with pytest.raises(CertificateUnusable, match=said):
            check_authorities(tmp_path / name)


def test_a_renewed_pair_is_used_once_both_files_have_settled(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock, cert, key, heard = Clock(), tmp_path / "crt", tmp_path / "key", list[float]()

    def use(cert_name: str, key_name: str) -> None:
        shutil.copy(folder / f"{cert_name}.crt", cert)
        shutil.copy(folder / f"{key_name}.key", key)

    def renewed() -> bool:
        found = [certificate.look()]
        clock.now += SETTLED_S
        return any([*found, certificate.look(), certificate.look()])

    use("soon", "soon")
    certificate = Certificate("gRPC", cert, key, clock)
    certificate.subscribe(lambda: heard.append(certificate.not_after))
    before = certificate.pair, certificate.not_after
    assert not renewed()
    use("good", "soon")
    assert not renewed()
    assert (certificate.pair, certificate.not_after) == before
    assert ["was not renewed" in message for message in caplog.messages] == [True]
    use("good", "good")
    assert renewed()
    certificate.announce_renewal()
    assert heard == [certificate.not_after]
    assert certificate.pair == (key.read_bytes(), cert.read_bytes())
    assert certificate.problem(time.time()) == ""


def test_an_expired_certificate_is_said_at_the_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with watching([Certificate("HTTP", folder / "expired.crt", folder / "expired.key")]):
            pass

    asyncio.run(scenario())
    assert "expired on" in caplog.text


def test_a_running_service_uses_renewed_files(folder: Path, tmp_path: Path) -> None:
    cert, key = tmp_path / "crt", tmp_path / "key"

    def use(name: str) -> bytes:
        shutil.copy(folder / f"{name}.key", key)
        shutil.copy(folder / f"{name}.crt", cert)
        return ssl.PEM_cert_to_DER_cert(cert.read_text())

    def shown() -> list[bytes | None]:
        return [certificate_at(server.url), certificate_at(server.grpc)]

    first = use("soon")
    tls = {"http_tls_cert": cert, "http_tls_key": key, "grpc_tls_cert": cert, "grpc_tls_key": key}
    with serving(**tls) as server:
        assert shown() == [first, first]
        renewed = use("good")
        while shown() != [renewed, renewed]:
            time.sleep(0.1)


def certificate_at(url: str) -> bytes | None:
    """The certificate that a server shows, as DER."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_alpn_protocols(["h2" if url.startswith("grpc") else "http/1.1"])
    host, _, port = url.partition("://")[2].rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as connection,
        client.wrap_socket(connection) as secured,
    ):
        return secured.getpeercert(binary_form=True)
