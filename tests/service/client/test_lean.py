"""The client can be imported without any package that only the service needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hiseg
import hiseg.client
import hiseg.session

SERVERS = {
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "onnxruntime",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "python_multipart",
    "simplejpeg",
    "typer",
    "cv2",
}
TOOLS = {"supervision", "fiftyone", "datumaro", "cvat_sdk"}
SHOW = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded(code: str) -> set[str]:
    """Top-level modules that are loaded after ``code`` in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", f"{code}\n{SHOW}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("from hiseg import Session, SessionError, asegment, segment", SERVERS | TOOLS | {"httpx", "grpc", "google"}),
        ("import hiseg; dir(hiseg)", SERVERS | TOOLS | {"numpy", "PIL", "httpx", "grpc", "google"}),
        ("from hiseg import Client; Client('http://127.0.0.1:1').close()", SERVERS | {"grpc", "google"}),
        (
            "import hiseg.client",
            SERVERS | TOOLS | {"httpx", "grpc", "google"},
        ),
        ("from hiseg.client import Client; Client('http://127.0.0.1:1').close()", SERVERS | {"grpc", "google"}),
        ("from hiseg.client import Client; Client('grpc://127.0.0.1:1').close()", SERVERS | {"httpx"}),
        ("import hiseg.client.http, hiseg.client.grpc_aio", SERVERS),
    ],
)
def test_nothing_is_loaded_that_is_not_used(code: str, without: set[str]) -> None:
    assert not loaded(code) & without


def test_the_package_itself_has_every_name_of_the_client_and_of_sessions() -> None:
    assert hiseg.__all__ == sorted([*hiseg.client.__all__, *hiseg.session.__all__])
    assert {*hiseg.__all__} <= {*dir(hiseg)}
    for part in (hiseg.client, hiseg.session):
        for name in part.__all__:
            assert getattr(hiseg, name) is getattr(part, name)
    with pytest.raises(AttributeError, match="no attribute 'Sever'"):
        hiseg.Sever  # type: ignore[attr-defined]  # noqa: B018
