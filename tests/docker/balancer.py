"""Runs the load balancer with the composition's own configuration file, without a container."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
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
        http: where HTTP is asked; over TLS for HTTPS.
        grpc: where gRPC is asked.
        stats: where it tells of itself.
        process: its master process.
    """

    http: str
    grpc: str
    stats: str
    process: subprocess.Popen[bytes]

    def reload(self) -> None:
        """Let a new process take over, which reads configuration and certificate again; returns when it answers."""
        before = self._workers()
        self.process.send_signal(signal.SIGUSR2)
        for _ in range(START_SECONDS * 20):
            if self._workers() - before and _answers(self.stats):
                return
            time.sleep(0.05)
        pytest.fail("the load balancer did not reload")

    def _workers(self) -> set[str]:
        return set(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def up(self, backend: str) -> list[str]:
        """The replicas that get new requests, of ``http``, ``grpc`` or ``streams``."""
        return servers_up(self.stats, backend)


def servers_up(stats: str, backend: str) -> list[str]:
    """The replicas that get new requests of one kind, as lines of the load balancer's metrics.

    Args:
        stats: URL of its own pages.
        backend: ``http``, ``grpc`` or ``streams``.
    """
    lines = httpx.get(f"{stats}/metrics", params={"scope": "server"}).text.splitlines()
    found = [line for line in lines if line.startswith("haproxy_server_status{")]
    wanted = (f'proxy="{backend}"', 'state="UP"')
    up = [line for line in found if all(part in line for part in wanted) and line.endswith(" 1")]
    return [line for line in up if 'server="nobody"' not in line]


@contextmanager
def balancing(
    names: Names, http_port: int, grpc_port: int, folder: Path, tls_pem: Path | None = None
) -> Iterator[Balancer]:
    """The load balancer before whatever ``names`` leads to, until the end of the block.

    Args:
        names: the name server that it asks.
        http_port: where each replica has HTTP.
        grpc_port: where each replica has gRPC.
        folder: for its log.
        tls_pem: certificate chain and private key; None: plain text.
    """
    http, grpc, stats = (f"127.0.0.1:{port}" for port in free_ports(3))
    variables = os.environ | {
        "HTTP_BIND": http,
        "GRPC_BIND": grpc,
        "STATS_BIND": stats,
        "HTTP_PORT": str(http_port),
        "GRPC_PORT": str(grpc_port),
        "RESOLVER": f"127.0.0.1:{names.port}",
        "TLS_PEM": str(tls_pem or ""),
    }
    # With a master process, as in the image.
    command = [need_haproxy(), "-W", "-db", "-f", CONFIGURATION]
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        for _ in range(START_SECONDS * 20):
            if _answers(f"http://{stats}"):
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"the load balancer did not start: {(folder / 'haproxy.log').read_text()}")
        secure = "s" if tls_pem else ""
        yield Balancer(f"http{secure}://{http}", f"grpc{secure}://{grpc}", f"http://{stats}", process)
    finally:
        process.terminate()
        process.wait(10)


def _answers(stats: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{stats}/healthz").status_code == 200
    return False
