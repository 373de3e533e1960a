"""The composition with docker/secrets.yml: API keys, TLS, and their renewal."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.paths import HISEG, ROOT
from hiseg.client import Client, Tls, Unauthorized
from tests.containers.composition import Composition, composed, until
from tests.containers.engine import Engine
from tests.service.core.certificates import self_signed

pytestmark = pytest.mark.containers

BOXES = [[22.0, 15.0, 365.0, 512.0]]
Report = Callable[[object], None]


@dataclass(slots=True)
class Secured:
    """The composition with its secrets.

    Attributes:
        composition: as it runs.
        folder: of the two files.
        key: a valid one.
    """

    composition: Composition
    folder: Path
    key: str

    def ask(self, photo: bytes, key: str) -> httpx.Response:
        """One request over TLS, on a connection of its own."""
        headers = {"content-type": "image/jpeg", "x-api-key": key}
        where = f"{self.composition.http}/v1/segment"
        context = Tls(ca=self.folder / "tls.pem").context()
        return httpx.post(where, content=photo, params={"boxes": "22,15,365,512"}, headers=headers, verify=context)


def new_key(name: str) -> tuple[str, str]:
    """A key, and its line for the file of keys, as ``hiseg key`` makes them."""
    made = subprocess.run([HISEG, "key", name], check=True, capture_output=True, text=True)
    return made.stderr.splitlines()[0].rpartition(" ")[2], made.stdout


def renew(folder: Path) -> None:
    """A new certificate and its key in ``tls.pem``, in place, as the mount of a container needs it."""
    certificate, key = self_signed(folder, "new", names=("localhost", "loadbalancer"))
    (folder / "tls.pem").write_text(certificate.read_text() + key.read_text())


@pytest.fixture(scope="module")
def secured(built: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secrets")
    key, line = new_key("web")
    (folder / "api_keys").write_text(line)
    renew(folder)
    files = {"API_KEYS": str(folder / "api_keys"), "TLS_PEM": str(folder / "tls.pem")}
    for path in files.values():
        Path(path).chmod(0o644)
    with composed(Composition(built, [ROOT / "docker" / "secrets.yml"], secure=True, **files)) as running:
        running.wait_until_used(1)
        yield Secured(running, folder, key)


def test_a_key_and_tls_are_needed_and_enough(secured: Secured, photo: bytes) -> None:
    assert secured.ask(photo, secured.key).status_code == 200
    plain = secured.composition.http.replace("https", "http")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{plain}/readyz")
    with Client(secured.composition.grpc, api_key=secured.key, tls=Tls(ca=secured.folder / "tls.pem")) as client:
        assert client.segment(photo, BOXES).instances
    keyless = Client(secured.composition.grpc, tls=Tls(ca=secured.folder / "tls.pem"))
    with keyless, pytest.raises(Unauthorized):
        keyless.segment(photo, BOXES)


def test_the_load_test_has_a_key_and_trusts_the_certificate(secured: Secured, report: Report) -> None:
    said = secured.composition.load_test(HISEG_API_KEY=secured.key, LOAD_SECONDS="10", LOAD_USERS="3")
    report(said)
    assert "failures 0.00%" in said


def test_refusals_of_large_bodies_arrive(secured: Secured, photo: bytes, report: Report) -> None:
    body = photo * (3_000_000 // len(photo))
    statuses = [secured.ask(body, "wrong").status_code for _ in range(20)]
    report({status: statuses.count(status) for status in set(statuses)})
    assert set(statuses) == {401}


def test_another_key_counts_without_a_restart(secured: Secured, photo: bytes) -> None:
    key, line = new_key("another")
    (secured.folder / "api_keys").write_text(line)
    until(lambda: secured.ask(photo, key).status_code == 200, "the new key isn't valid")
    assert secured.ask(photo, secured.key).status_code == 401
    secured.key = key


def test_another_certificate_counts_without_a_restart(secured: Secured, photo: bytes) -> None:
    assert secured.ask(photo, secured.key).status_code == 200
    renew(secured.folder)
    secured.composition.compose("kill", "--signal", "SIGUSR2", "loadbalancer")

    def trusted() -> bool:
        try:
            return secured.ask(photo, secured.key).status_code == 200
        except httpx.ConnectError:  # the old certificate, or none at that moment
            return False

    until(trusted, "the new certificate isn't used")
    time.sleep(1)
    assert trusted()
