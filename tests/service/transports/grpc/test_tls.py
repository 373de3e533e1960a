"""TLS and mutual TLS, with certificates made for the tests."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from pydantic import ValidationError

from hiseg.access.key_store import KeyStore
from hiseg.app import grpc_listening
from hiseg.core.listening import ListenError
from hiseg.models.running import new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.camera import FRAME
from tests.service.transports.grpc.harness import running


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def issue(folder: Path, name: str, by: str, extension: str) -> None:
    """A key and a certificate signed by an authority."""
    (folder / f"{name}.ext").write_text(extension)
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip  # noqa: E501
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-CAcreateserial", "-days", "1", "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip  # noqa: E501


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; a server and a client certificate of the first, a client certificate of the other."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")  # fmt: skip  # noqa: E501
    issue(folder, "server", "ca", "subjectAltName=IP:127.0.0.1")
    issue(folder, "client", "ca", "extendedKeyUsage=clientAuth")
    issue(folder, "stranger", "other", "extendedKeyUsage=clientAuth")
    return folder


def secured(folder: Path, mutual: bool) -> Settings:
    ca = folder / "ca.crt" if mutual else None
    return Settings(grpc_tls_cert=folder / "server.crt", grpc_tls_key=folder / "server.key", grpc_tls_client_ca=ca)


def client(folder: Path, root: str = "ca", name: str | None = None) -> grpc.ChannelCredentials:
    pair = [(folder / f"{name}.{kind}").read_bytes() for kind in ("key", "crt")] if name else [None, None]
    return grpc.ssl_channel_credentials((folder / f"{root}.crt").read_bytes(), *pair)


async def status(settings: Settings, credentials: grpc.ChannelCredentials | None) -> StatusCode:
    """What a call ends with."""
    async with running(settings, credentials=credentials) as service:
        try:
            answer = await service.stub.Segment(pb.SegmentRequest(**FRAME), timeout=30)
        except AioRpcError as error:
            return error.code()
        assert len(answer.instances) == 1
        return StatusCode.OK


@pytest.mark.parametrize(
    ("root", "name", "mutual", "expected"),
    [
        ("ca", None, False, StatusCode.OK),
        ("other", None, False, StatusCode.UNAVAILABLE),
        (None, None, False, StatusCode.UNAVAILABLE),
        ("ca", "client", True, StatusCode.OK),
        ("ca", None, True, StatusCode.UNAVAILABLE),
        ("ca", "stranger", True, StatusCode.UNAVAILABLE),
    ],
)
def test_which_clients_can_connect(
    folder: Path, root: str | None, name: str | None, mutual: bool, expected: StatusCode
) -> None:
    credentials = client(folder, root, name) if root else None
    assert asyncio.run(status(secured(folder, mutual), credentials)) is expected


def test_incomplete_settings_are_refused(folder: Path) -> None:
    with pytest.raises(ValidationError, match="go together"):
        Settings(grpc_tls_cert=folder / "server.crt")
    with pytest.raises(ValidationError, match="grpc_tls_client_ca needs"):
        Settings(grpc_tls_client_ca=folder / "ca.crt")


@pytest.mark.parametrize("cert", ["missing.crt", "ca.ext.txt"])
def test_an_invalid_certificate_file_is_an_error_at_the_start(folder: Path, cert: str) -> None:
    (folder / "ca.ext.txt").write_text("nothing of use")
    settings = Settings(grpc_port=0, grpc_tls_cert=folder / cert, grpc_tls_key=folder / "server.key")

    async def scenario() -> None:
        with pytest.raises(ListenError, match="gRPC on"):
            async with grpc_listening(new_segmenter(settings, None), settings, Metrics(), KeyStore()):  # type: ignore[arg-type]
                pass

    asyncio.run(scenario())
