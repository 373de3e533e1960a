"""One service on ``::`` is there for callers of IPv6 and IPv4, over both transports, by every tool of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.serving import Server, serving
from hiseg.client import Client
from hiseg.client.transport import parse_address
from hiseg.doctor.ports import check_ports
from hiseg.settings import Settings
from hiseg.transports.grpc.auth import TrustedProxies

INTERFACES = Path("/proc/net/if_inet6")


@pytest.fixture(scope="module")
def both() -> Iterator[Server]:
    with serving(host="[::]") as running:
        yield running


def at(server: Server, host: str) -> tuple[str, str]:
    """The URLs of both transports for a host."""
    assert "[::1]" in server.url
    assert "[::1]" in server.grpc
    return server.url.replace("[::1]", host), server.grpc.replace("[::1]", host)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[0:0::1]", "localhost", "[::ffff:127.0.0.1]"])
def test_the_client_reaches_it(both: Server, host: str) -> None:
    for url in at(both, host):
        with Client(url) as client:
            assert client.ready()
            assert len(client.segment(SAMPLE, SAMPLE_BOXES).instances) == 2


def test_addresses_with_a_zone(both: Server) -> None:
    rows = [line.split() for line in INTERFACES.read_text().splitlines()] if INTERFACES.exists() else []
    local = [(row[0], row[5]) for row in rows if row[0].startswith("fe80")]
    if not local:
        missing("no interface has a link-local address")
    digits, interface = local[0]
    address = ":".join(digits[at : at + 4] for at in range(0, 32, 4))
    for sign in ("%", "%25"):
        for url in at(both, f"[{address}{sign}{interface}]"):
            with Client(url) as client:
                assert len(client.segment(SAMPLE, SAMPLE_BOXES).instances) == 2


@pytest.mark.parametrize("scheme", ["http", "https", "grpc", "grpcs"])
def test_a_zone_is_written_as_the_system_has_it(scheme: str) -> None:
    for sign in ("%", "%25"):
        address = parse_address(f"{scheme}://[fe80::1{sign}eth0]:7")
        assert (address.url, address.target) == (f"{scheme}://[fe80::1%eth0]:7", "[fe80::1%eth0]:7")
    assert parse_address("grpc://[::1]").target == "[::1]:50051"


def test_the_page_and_the_checks_of_load_balancers(both: Server) -> None:
    url, _ = at(both, "[::1]")
    assert httpx.head(url + "/readyz").status_code == 200
    redirect = httpx.get(url + "/healthz/")
    assert redirect.headers["location"] == "/healthz"
    answer = httpx.post(url + "/v1/segment?boxes=22,15,365,512", content=SAMPLE.read_bytes())
    assert len(answer.json()["instances"]) == 1


def test_a_proxy_on_the_same_machine_is_believed_by_either_address() -> None:
    proxies = TrustedProxies(Settings().trusted_proxies)
    forwarded = [("x-forwarded-for", "2001:db8::7")]
    for peer in ("ipv4:127.0.0.1:9", "ipv6:%5B::1%5D:9"):
        assert proxies.client_address(peer, forwarded) == "2001:db8::7"


def test_the_doctor_knows_it(both: Server) -> None:
    ports = {name: int(url.rpartition(":")[2]) for name, url in (("port", both.url), ("grpc_port", both.grpc))}
    for host in ("::", "::1", "0:0:0:0:0:0:0:1"):
        assert all("hiseg runs here" in finding.found for finding in check_ports(Settings(host=host, **ports)))


def test_the_load_generator_reaches_it(both: Server, tmp_path: Path) -> None:
    for number, url in enumerate(at(both, "[::1]")):
        figures = tmp_path / f"{number}.json"
        options = ("--duration", "0.3", "--warm-up", "0", "--concurrency", "1", "--sizes", "320x240")
        command = (sys.executable, "-m", "hiseg", "bench", "--url", url, *options, "--json", figures)
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(figures.read_text())
