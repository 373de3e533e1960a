"""The rules and the dashboard in a real Prometheus, which scrapes service, Triton and HAProxy, all real, under load."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT
from benchmarks.harness.prometheus import DASHBOARD, FOLDER, Prometheus, metric_names, prometheus
from benchmarks.harness.serving import SERVE, serving
from benchmarks.harness.triton.models import targets_of
from benchmarks.harness.triton.server import Triton
from hiseg.access.keys import digest
from tests.docker.balancer import balancing, need_haproxy
from tests.docker.names import naming
from tests.service.core.certificates import self_signed

KEY, SLOW = "good", "slow"
RATE_INTERVAL = "10s"
UNITS = {"none", "reqps", "ops", "s", "percentunit", "bytes"}
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"].replace("$__rate_interval", RATE_INTERVAL) for p in PANELS for target in p["targets"]]


@pytest.fixture(scope="module")
def watched(
    triton_server: Triton, photo: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, str]]:
    """Prometheus, and a service that has answered, refused and dropped while it was watched; with all metrics."""
    need_haproxy()
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "keys").write_text(f"good {digest(KEY)}\nslow {digest(SLOW)} rate=0.5\n")
    command = (*SERVE, "--engine", targets_of(triton_server))
    done = threading.Event()
    cert, key = self_signed(folder, "grpc")
    with (
        serving(command, api_keys_file=folder / "keys", grpc_tls_cert=cert, grpc_tls_key=key) as server,
        naming(["127.0.0.1"]) as names,
        balancing(names, port_of(server.url), port_of(server.grpc), folder) as balancer,
    ):

        def load() -> None:
            with httpx.Client(base_url=server.url, timeout=60) as client:
                while not done.is_set():
                    for key in (KEY, SLOW, "wrong"):
                        headers = {"content-type": "image/jpeg", "x-api-key": key}
                        client.post("/v1/segment", params={"boxes": "22,15,365,512"}, content=photo, headers=headers)
                    httpx.get(f"{balancer.http}/readyz")

        balancers = [balancer.stats.removeprefix("http://")]
        with prometheus([server.url.removeprefix("http://")], folder, balancers) as watching:
            caller = threading.Thread(target=load)
            caller.start()
            try:
                until = time.monotonic() + 30
                while silent(watching) and time.monotonic() < until:
                    time.sleep(0.5)
                yield watching, "".join(httpx.get(f"{url}/metrics").text for url in (server.url, balancer.stats))
            finally:
                done.set()
                caller.join()


def port_of(url: str) -> int:
    """The port of an address."""
    return int(url.rpartition(":")[2])


def silent(watching: Prometheus) -> list[str]:
    """Queries that find nothing, or what isn't a number."""
    return [query for query in QUERIES if not numbers(watching.ask(query))]


def numbers(found: list[dict[str, Any]]) -> list[float]:
    return [float(series["value"][1]) for series in found if series["value"][1] != "NaN"]


def test_every_panel_shows_something(watched: tuple[Prometheus, str]) -> None:
    watching, _ = watched
    assert not silent(watching)
    (busy,) = numbers(watching.ask(PANELS[4]["targets"][0]["expr"].replace("$__rate_interval", RATE_INTERVAL)))
    assert busy > 0


def test_every_rule_is_evaluated_and_has_data(watched: tuple[Prometheus, str]) -> None:
    watching, _ = watched
    for rule in RULES:
        inside = re.sub(r"^absent\((.*)\)$", r"\1", rule["expr"])
        looked_at, compared = re.subn(r" (==|>|<) ([\d.]+|quantile_over_time\(.*\))$", "", inside)
        assert compared == 1
        assert numbers(watching.ask(looked_at)), rule["alert"]
    health = httpx.get(f"{watching.url}/api/v1/rules").json()["data"]["groups"][0]["rules"]
    assert {rule["name"]: rule["health"] for rule in health} == {rule["alert"]: "ok" for rule in RULES}
    assert [rule["name"] for rule in health if rule["state"] == "firing"] == []


def test_every_metric_in_a_query_exists(watched: tuple[Prometheus, str]) -> None:
    _, metrics = watched
    there = set(re.findall(r"^(\w+)", metrics, re.MULTILINE)) | {"up"}
    asked = {name for query in [*QUERIES, *(rule["expr"] for rule in RULES)] for name in metric_names(query)}
    assert len(asked) > 20
    assert asked <= there


def test_every_metric_is_explained(watched: tuple[Prometheus, str]) -> None:
    _, metrics = watched
    text = (ROOT / "docs" / "runbook.md").read_text()
    names = set(re.findall(r"^# TYPE (hiseg_\w+) ", metrics, re.MULTILINE))
    created = {name for name in names if name.endswith("_created")}
    assert [name for name in sorted(names - created) if f"`{name}" not in text] == []


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    (variable,) = dashboard["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}


def test_alerts_fire_only_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("there is no promtool")
    cases = Path(__file__).with_name("alerts_test.yml")
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = {
        case["alertname"] for test in yaml.safe_load(cases.read_text())["tests"] for case in test["alert_rule_test"]
    }
    assert tested == {rule["alert"] for rule in RULES}


def test_every_alert_has_a_page_in_the_runbook() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(rule["alert"] for rule in RULES) == sorted(h for h in headings if h.startswith("Hiseg"))
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
