"""Runs a real Prometheus with the project's own rules, which scrapes the servers of a test or benchmark."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT
from benchmarks.harness.ports import free_ports

FOLDER = ROOT / "docker" / "prometheus"
DASHBOARD = ROOT / "docker" / "grafana" / "dashboards" / "hiseg.json"
INTERVAL_S = 1


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one."""

    url: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What a query finds now."""
        return self._get("query", query=query)

    def ask_range(self, query: str, start: float, end: float) -> list[dict[str, Any]]:
        """What it finds for each second of a stretch of time."""
        return self._get("query_range", query=query, start=start, end=end, step=INTERVAL_S)

    def _get(self, what: str, **parameters: object) -> list[dict[str, Any]]:
        body = httpx.get(f"{self.url}/api/v1/{what}", params=parameters).json()  # type: ignore[arg-type]
        assert body["status"] == "success", body
        return list(body["data"]["result"])


@contextmanager
def prometheus(targets: Sequence[str], folder: Path, balancers: Sequence[str] = ()) -> Iterator[Prometheus]:
    """Prometheus with our files, but asking ``host:port`` each second instead of the names of containers.

    Args:
        targets: the services that it asks.
        folder: for its data.
        balancers: the load balancers that it asks.
    """
    program = shutil.which("prometheus")
    if program is None:
        missing("there is no prometheus")
    settings = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"}
    service, balancer = settings["scrape_configs"]
    del service["dns_sd_configs"]
    service["static_configs"] = [{"targets": list(targets)}]
    balancer["static_configs"] = [{"targets": list(balancers)}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    shutil.copy(FOLDER / "alerts.yml", folder)
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=log, stdout=log)
    try:
        while not _answers(f"http://{address}/-/ready"):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def metric_names(query: str) -> set[str]:
    """The metrics that a query asks for."""
    return set(re.findall(r"\b(?:hiseg|haproxy|process|up)(?:_\w+)?\b(?=[\[{) ]|$)", query))
