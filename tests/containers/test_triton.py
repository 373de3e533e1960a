"""The composition with its models on Triton, watched by Prometheus, while servers and replicas come and go."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from benchmarks.harness.prometheus import FOLDER, Prometheus
from tests.containers.composition import Composition, composed, until
from tests.containers.engine import Engine
from tests.containers.images import make_triton
from tests.containers.traffic import under_load
from tests.docker.test_prometheus import PANELS, RULES

pytestmark = pytest.mark.containers

REPLICAS, TRITONS = 2, 2
Report = Callable[[object], None]


def impatient(folder: Path) -> Path:
    """A file over docker-compose.yml with which Prometheus looks every second, and whose alerts wait for five.

    The times that they have in earnest are promtool's affair, in tests/docker/test_prometheus.py.
    """
    files = {}
    for name, times in (("prometheus", r"(?<=_interval: )\w+"), ("alerts", r"(?<= for: )\w+")):
        text, found = re.subn(times, "1s" if name == "prometheus" else "5s", (FOLDER / f"{name}.yml").read_text())
        assert found
        files[name] = folder / f"{name}.yml"
        files[name].write_text(text)
        files[name].chmod(0o644)
    over = folder / "over.yml"
    over.write_text(yaml.safe_dump({"configs": {name: {"file": str(file)} for name, file in files.items()}}))
    return over


@pytest.fixture(scope="module")
def composition(built: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    make_triton(built)
    over = [impatient(tmp_path_factory.mktemp("prometheus"))]
    # Both engines run the same file, so that masks can be compared whichever had them.
    settings = {"HISEG_ENGINE": "triton://triton", "HISEG_INT8": "never"}
    made = Composition(built, over, HISEG_REPLICAS=str(REPLICAS), TRITON_REPLICAS=str(TRITONS), **settings)
    with composed(made, "triton", "monitoring") as running:
        running.wait_until_used(REPLICAS)
        yield running


@pytest.fixture(scope="module")
def watching(composition: Composition) -> Prometheus:
    return Prometheus(composition.prometheus)


def servers_in_use(watching: Prometheus) -> int:
    """How many Tritons get batches of at least one model from at least one replica, as Prometheus has it."""
    used = watching.ask('count(max by (endpoint) (hiseg_triton_state{state="up"}) == 1)')
    return int(used[0]["value"][1]) if used else 0


def firing(watching: Prometheus) -> set[str]:
    """The critical alerts."""
    found = watching.ask('ALERTS{alertstate="firing",severity="critical"}')
    return {alert["metric"]["alertname"] for alert in found}


def test_tritons_come_and_go(composition: Composition, watching: Prometheus, picture: bytes, report: Report) -> None:
    until(lambda: servers_in_use(watching) == TRITONS, "the service doesn't use both servers")
    docker, servers = composition.engine.docker, composition.containers("triton")
    with under_load(composition, picture) as step:
        docker("kill", servers[0])
        until(lambda: servers_in_use(watching) == TRITONS - 1, "the service still uses a server that is gone")
        docker("stop", servers[1])
        until(lambda: servers_in_use(watching) == 0, "the service still uses servers that are gone")
        docker("start", *servers)
        until(lambda: servers_in_use(watching) == TRITONS, "the service doesn't use both servers again")
    report(step.line())
    step.check(ended={"triton 137", "triton 0"})


def test_every_panel_has_data(composition: Composition, watching: Prometheus, picture: bytes, report: Report) -> None:
    queries = [target["expr"].replace("$__rate_interval", "1m") for panel in PANELS for target in panel["targets"]]

    def silent() -> list[str]:
        return [query for query in queries if not watching.ask(query)]

    with under_load(composition, picture):
        # Those whose series begin with the first refusal, of a request and of a key.
        httpx.post(f"{composition.http}/v1/segment", content=b"none", headers={"content-type": "image/jpeg"})
        until(lambda: not silent(), "panels without data", 60)
    report(f"{len(queries)} queries")
    assert silent() == []


def test_every_target_is_scraped(composition: Composition, watching: Prometheus) -> None:
    targets = httpx.get(f"{composition.prometheus}/api/v1/targets").json()["data"]["activeTargets"]
    assert {target["health"] for target in targets} == {"up"}, targets
    assert [target["labels"]["job"] for target in targets].count("hiseg") == REPLICAS
    groups = httpx.get(f"{composition.prometheus}/api/v1/rules").json()["data"]["groups"]
    assert {rule["name"] for group in groups for rule in group["rules"]} == {rule["alert"] for rule in RULES}


def test_alerts_fire_when_all_replicas_are_gone(composition: Composition, watching: Prometheus, report: Report) -> None:
    until(lambda: not firing(watching), "an alert fires although all is well")
    composition.compose("stop", "service")
    until(lambda: {"HisegGone", "HisegBalancerAlone"} <= firing(watching), "no alerts")
    report(", ".join(sorted(firing(watching))))
    assert httpx.get(f"{composition.http}/readyz").status_code == 503
    composition.up(profiles=("triton", "monitoring"))
    composition.wait_until_used(REPLICAS)
    until(lambda: not firing(watching), "an alert stays")
