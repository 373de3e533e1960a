"""The manifests follow Kubernetes's schemas, agree with each other, and name settings, paths and metrics that exist.

No cluster is there. The service runs with the manifests' settings, and asks itself what the probes would.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT
from benchmarks.harness.prometheus import metric_names
from benchmarks.harness.serving import Server, serving
from hiseg.access.keys import digest
from hiseg.core.reasons import OVERLOADED, Reason
from hiseg.doctor.finding import Level
from hiseg.doctor.limits import check_memory, check_settings
from hiseg.lifecycle import READ_RESPONSE_SECONDS
from hiseg.settings import Settings
from tests.examples.environment import read_variables

FOLDER = ROOT / "docs" / "examples" / "kubernetes"
VERSIONS = ("1.27", kubernetes_validate.latest_version())
"""The oldest Kubernetes that knows every field, and the newest."""
UNITS = {"Mi": 2**20, "Gi": 2**30}
LABELS = {"app.kubernetes.io/name": "hiseg"}
KEY = "correct horse"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
ENDPOINTS_SECONDS = 5
"""What nodes and proxies take, at least, to learn that a pod is leaving."""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


KUSTOMIZATION = documents("kustomization.yaml")[0]
OBJECTS = {
    each["kind"] + "/" + each["metadata"]["name"]: each for n in KUSTOMIZATION["resources"] for each in documents(n)
}
POD = OBJECTS["Deployment/hiseg"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
(ADAPTER,) = documents("prometheus-adapter.yaml")
(RULE,) = ADAPTER["rules"]["custom"]


@cache
def variables() -> dict[str, str]:
    """What the container gets as environment: from the generated ConfigMap, and from its own resources."""
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    assert CONTAINER["envFrom"] == [{"configMapRef": {"name": generated["name"]}}]
    found: dict[str, str] = {}
    for name in generated["envs"]:
        found |= read_variables(FOLDER / name)
    for entry in CONTAINER["env"]:
        field = entry["valueFrom"]["resourceFieldRef"]
        assert field["containerName"] == CONTAINER["name"]
        kind, resource = field["resource"].split(".")
        found[entry["name"]] = CONTAINER["resources"][kind][resource]
    return found


@cache
def query() -> str:
    """What the adapter asks Prometheus for the pods a and b."""
    filled: str = RULE["metricsQuery"]
    series = RULE["seriesQuery"].partition("{")[0]
    for name, value in {"Series": series, "LabelMatchers": 'namespace="hiseg",pod=~"a|b"', "GroupBy": "pod"}.items():
        filled = filled.replace(f"<<.{name}>>", value)
    assert "<<" not in filled
    return filled


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with the manifests' settings, and keys mounted as a Secret is: by way of two links."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "..1").mkdir()
    (folder / "..1" / "api_keys").write_text(f"web {digest(KEY)}\n")
    (folder / "..data").symlink_to("..1")
    (folder / "api_keys").symlink_to("..data/api_keys")
    (mount,) = CONTAINER["volumeMounts"]
    assert Path(variables()["HISEG_API_KEYS_FILE"]).parent == Path(mount["mountPath"])
    own = {name.removeprefix("HISEG_").lower(): value for name, value in variables().items()}
    own |= {"api_keys_file": str(folder / "api_keys"), "shutdown_delay_seconds": "0", "port": "0", "grpc_port": "0"}
    with serving(**own) as server:
        yield server


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_follows_the_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], version, strict=True)


def test_the_kustomization_names_every_file() -> None:
    named = {*KUSTOMIZATION["resources"], *KUSTOMIZATION["configMapGenerator"][0]["envs"]}
    beside = {"kustomization.yaml", "prometheus-adapter.yaml"}
    assert named | beside == {path.name for path in FOLDER.iterdir()}
    assert KUSTOMIZATION["namespace"] == OBJECTS["Namespace/hiseg"]["metadata"]["name"]
    assert [image["name"] for image in KUSTOMIZATION["images"]] == [CONTAINER["image"]]


def test_every_variable_is_a_setting_that_fits_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables().items():
        assert name.removeprefix("HISEG_").lower() in Settings.model_fields, name
        monkeypatch.setenv(name, value)
    settings = Settings()
    limits = CONTAINER["resources"]["limits"]
    assert limits["memory"] == CONTAINER["resources"]["requests"]["memory"]
    assert check_memory(settings, int(limits["memory"][:-2]) * UNITS[limits["memory"][-2:]]).level is Level.OK
    assert {finding.level for finding in check_settings(settings)} == {Level.OK}
    assert settings.threads == settings.image_threads == int(limits["cpu"])
    assert settings.shutdown_delay_seconds > ENDPOINTS_SECONDS
    least = settings.shutdown_delay_seconds + settings.drain_seconds + READ_RESPONSE_SECONDS
    assert POD["spec"]["terminationGracePeriodSeconds"] > least


def test_the_pod_is_kept_small_as_the_image_is() -> None:
    image = (ROOT / "docker" / "service" / "Dockerfile").read_text()
    user, group = re.findall(r"^USER (\d+):(\d+)$", image, re.MULTILINE)[-1]
    security = POD["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (int(user), int(group), int(group))
    ports = {port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {Settings.model_fields[name].default for name in ("port", "grpc_port")}
    assert {str(port) for port in ports} == set(re.findall(r"^EXPOSE (.+)$", image, re.MULTILINE)[-1].split())
    assert [f'CMD ["{arg}"]' for arg in CONTAINER["args"]] == re.findall(r"^CMD .*$", image, re.MULTILINE)
    assert 'ENTRYPOINT ["hiseg"]' in image
    assert "command" not in CONTAINER


def test_labels_ports_and_names_agree() -> None:
    assert POD["metadata"]["labels"].items() >= LABELS.items()
    names = {port["name"] for port in CONTAINER["ports"]}
    for each in OBJECTS.values():
        spec = each.get("spec", {})
        selector = spec.get("selector", spec.get("podSelector"))
        if selector:
            assert selector.get("matchLabels", selector) == LABELS, each["kind"]
        assert {port["targetPort"] for port in spec.get("ports", ())} <= names
    for spread in POD["spec"]["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == LABELS
    assert {CONTAINER[probe]["httpGet"]["port"] for probe in PROBES} <= names
    (rule,) = OBJECTS["NetworkPolicy/hiseg"]["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} == names
    target = OBJECTS["HorizontalPodAutoscaler/hiseg"]["spec"]["scaleTargetRef"]
    deployment = OBJECTS[f"{target['kind']}/{target['name']}"]
    assert deployment["apiVersion"] == target["apiVersion"]
    assert "replicas" not in deployment["spec"]
    (mount,), (volume,) = CONTAINER["volumeMounts"], POD["spec"]["volumes"]
    assert mount["name"] == volume["name"]


def test_probes_and_prometheus_ask_for_what_there_is(deployed: Server) -> None:
    with httpx.Client(base_url=deployed.url) as client:
        paths = {probe: CONTAINER[probe]["httpGet"]["path"] for probe in PROBES}
        assert paths == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
        scraped = POD["metadata"]["annotations"]
        for path in (*paths.values(), scraped["prometheus.io/path"]):
            assert client.get(path).status_code == 200, path
        assert client.get("/v1/info").status_code == 401
        assert client.get("/v1/info", headers={"x-api-key": KEY}).status_code == 200
    (http,) = (port["containerPort"] for port in CONTAINER["ports"] if port["name"] == "http")
    assert (scraped["prometheus.io/scrape"], scraped["prometheus.io/port"]) == ("true", str(http))


def test_the_autoscaler_goes_by_metrics_that_the_service_has(deployed: Server) -> None:
    (metric,) = OBJECTS["HorizontalPodAutoscaler/hiseg"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == RULE["name"]["as"]
    there = set(re.findall(r"^(\w+)", httpx.get(f"{deployed.url}/metrics").text, re.MULTILINE))
    asked = metric_names(query()) | metric_names(RULE["seriesQuery"])
    assert len(asked) == 3
    assert asked <= there
    (reasons,) = re.findall(r'reason=~"([^"]+)"', query())
    assert {Reason(reason) for reason in reasons.split("|")} < set(OVERLOADED)


@pytest.mark.parametrize(
    ("ran", "refused", "busy", "demand"),
    [(0, 0, 0, 0), (30, 0, 30, 0.5), (60, 0, 60, 1), (60, 60, 60, 2)],
    ids=["idle", "half", "full", "twice"],
)
def test_the_demand_grows_with_what_is_asked(ran: int, refused: int, busy: int, demand: float, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("there is no promtool")
    minutes = {"hiseg_batch_images_sum": ran, "hiseg_engine_busy_seconds_total": busy, "hiseg_rejected_total": refused}
    labels = {"hiseg_rejected_total": ',reason="WAIT_TOO_LONG"'}
    series = [
        {"series": f'{name}{{namespace="hiseg",pod="{pod}"{labels.get(name, "")}}}', "values": f"0+{count}x10"}
        for name, count in minutes.items()
        for pod in ("a", "b")
    ]
    expected = [{"labels": f'{{pod="{pod}"}}', "value": demand} for pod in ("a", "b")]
    case = {"expr": query(), "eval_time": "9m", "exp_samples": expected}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [case]}
    (tmp_path / "demand.yml").write_text(yaml.safe_dump({"tests": [test]}))
    done = subprocess.run([promtool, "test", "rules", "demand.yml"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
