"""Runs the load balancer with the composition's own configuration file, without a container."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT
from benchmarks.harness.ports import free_ports
from tests.docker.names import Names

CONFIGURATION = ROOT / "docker" / "haproxy" / "haproxy.cfg"
START_SECONDS = 10


def need_haproxy() -> str:
    """The program, or a skip."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    return program or missing("there is no haproxy; `make test` installs it where it may")


@dataclass(frozen=True, slots=True)
class Balancer:
    """A running load balancer.

    Attributes:
        http: where HTTP is asked.
        grpc: where gRPC is asked.
        stats: where it tells of itself.
    """

    http: str
    grpc: str
    stats: str

    def up(self, backend: str) -> list[str]:
        """The addresses that get new requests, of ``http`` or ``grpc``."""
        lines = httpx.get(f"{self.stats}/metrics", params={"scope": "server"}).text.splitlines()
        found = [line for line in lines if line.startswith("haproxy_server_status{")]
        wanted = (f'proxy="{backend}"', 'state="UP"')
        return [line for line in found if all(part in line for part in wanted) and line.endswith(" 1")]


@contextmanager
def balancing(names: Names, http_port: int, grpc_port: int, folder: Path) -> Iterator[Balancer]:
    """The load balancer before whatever ``names`` leads to, until the end of the block."""
    http, grpc, stats = (f"127.0.0.1:{port}" for port in free_ports(3))
    variables = os.environ | {
        "HTTP_BIND": http,
        "GRPC_BIND": grpc,
        "STATS_BIND": stats,
        "HTTP_PORT": str(http_port),
        "GRPC_PORT": str(grpc_port),
        "RESOLVER": f"127.0.0.1:{names.port}",
    }
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([need_haproxy(), "-db", "-f", CONFIGURATION], env=variables, stdout=log, stderr=log)
    try:
        for _ in range(START_SECONDS * 20):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://{stats}/healthz").status_code == 200:
                    break
            time.sleep(0.05)
        else:
            pytest.fail(f"the load balancer did not start: {(folder / 'haproxy.log').read_text()}")
        yield Balancer(f"http://{http}", f"grpc://{grpc}", f"http://{stats}")
    finally:
        process.terminate()
        process.wait(10)
