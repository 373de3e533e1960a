"""The Compose file follows the specification, and refers only to existing files, settings and services."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.harness.paths import ROOT
from docker.stack import DROPPED, NOT_IN_A_STACK, dropped, stack, with_secrets
from hiseg.lifecycle import READ_RESPONSE_SECONDS
from hiseg.settings import OF_OTHERS, PREFIX, Settings

FILES = [ROOT / "docker-compose.yml", ROOT / "docker" / "secrets.yml"]
WITH_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
HEALTH_SECONDS = 2
"""More than the load balancer takes to see that a replica isn't ready: two checks, 0.5 and 0.25 s apart."""
COMPOSE: dict[str, Any] = yaml.safe_load(WITH_DEFAULT.sub(r"\1", FILES[0].read_text()))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounted(service: dict[str, Any]) -> list[str]:
    """The volumes and folders of a service."""
    return [volume.split(":")[0] for volume in service.get("volumes", ()) if isinstance(volume, str)]


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_follows_the_compose_specification(path: Path) -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_variable_is_a_setting_that_the_service_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = yaml.safe_load(FILES[1].read_text())["services"]["service"]["environment"]
    for name, value in (SERVICES["service"]["environment"] | secrets).items():
        if name.startswith("HISEG_"):
            assert name.removeprefix("HISEG_").lower() in Settings.model_fields, name
            if value is not None:  # which is passed on from the caller's environment
                monkeypatch.setenv(name, str(value))
    settings = Settings()
    assert settings.shutdown_delay_seconds >= HEALTH_SECONDS
    least = settings.shutdown_delay_seconds + settings.drain_seconds + READ_RESPONSE_SECONDS
    assert seconds(SERVICES["service"]["stop_grace_period"]) > least


def test_commands_run_where_the_variables_of_the_composition_are_set() -> None:
    named = set(re.findall(r"\bHISEG_[A-Z0-9_]+", (ROOT / "docker-compose.yml").read_text()))
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    assert named - settings <= OF_OTHERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_there(path: Path) -> None:
    compose = yaml.safe_load(WITH_DEFAULT.sub(r"\1", path.read_text()))
    named = [config["file"] for config in compose.get("configs", {}).values()]
    for service in compose["services"].values():
        named += [name for name in mounted(service) if name.startswith(".")]
        if "build" in service:
            named.append(service["build"]["dockerfile"])
    for name in named:
        assert (ROOT / name).exists(), name


def test_what_services_name_is_declared() -> None:
    for service in SERVICES.values():
        assert {config["source"] for config in service.get("configs", ())} <= set(COMPOSE["configs"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        volumes = {name for name in mounted(service) if name[0] not in "./"}
        assert volumes <= set(COMPOSE.get("volumes", {}))


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_kept_small_and_is_restarted(name: str) -> None:
    service, ends = SERVICES[name], name == "loadtest"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if ends else "unless-stopped")
    assert service["deploy"]["restart_policy"]["condition"] == ("none" if ends else "any")
    assert service.get("read_only") or name.startswith("triton")
    assert "memory" in service["deploy"]["resources"]["limits"]
    assert "healthcheck" in service or ends or name == "service"  # whose image has its own


def test_the_load_balancer_waits_for_a_service_that_is_ready() -> None:
    assert SERVICES["loadbalancer"]["depends_on"] == {"service": {"condition": "service_healthy"}}


def test_any_number_of_services_has_room() -> None:
    assert "ports" not in SERVICES["service"]
    assert "container_name" not in SERVICES["service"]
    limit = SERVICES["service"]["deploy"]["replicas"]
    configuration = (ROOT / "docker" / "haproxy" / "haproxy.cfg").read_text()
    rooms = {int(room) for room in re.findall(r"server-template \w+ (\d+)", configuration)}
    assert min(rooms) > limit


def test_a_stack_has_what_was_asked_for_and_nothing_that_it_refuses() -> None:
    made = stack(yaml.safe_load(FILES[0].read_text()), ["gpu"])
    assert {"service", "loadbalancer", "triton-gpu"} <= set(made["services"])
    assert "triton" not in made["services"]
    assert set(made) <= {"services", "configs", "secrets", "volumes", "networks"}
    for service in made["services"].values():
        assert not set(NOT_IN_A_STACK) & set(service)
    reserved = made["services"]["triton-gpu"]["deploy"]["resources"]["reservations"]
    assert reserved == {"generic_resources": [{"discrete_resource_spec": {"kind": "NVIDIA-GPU", "value": 1}}]}
    assert made["services"]["loadbalancer"]["ports"][1] == {
        "target": 50051,
        "published": "${PUBLISH_GRPC:-50051}",
        "protocol": "tcp",
        "mode": "host",
    }
    with pytest.raises(ValueError, match="there is no profile cloud; there is gpu, "):
        stack(yaml.safe_load(FILES[0].read_text()), ["cloud"])


def test_a_stack_has_keys_and_tls_and_says_what_it_drops() -> None:
    compose = with_secrets(*(yaml.safe_load(file.read_text()) for file in FILES))
    made = stack(compose, [])
    assert made["services"]["service"]["environment"]["HISEG_API_KEYS_FILE"] == "/run/secrets/api_keys"
    assert "HISEG_ENGINE" in made["services"]["service"]["environment"]
    assert made["secrets"].keys() == {"api_keys", "tls_pem"}
    assert "loadtest" not in made["services"]
    (line,) = dropped(compose, made["services"])
    assert line.startswith("dropped security_opt of service, loadbalancer: ")
    assert not any(set(DROPPED) & set(service) for service in made["services"].values())


def test_what_a_stack_would_ignore_in_silence_is_not_used() -> None:
    for service in SERVICES.values():
        assert not {"tmpfs", "start_interval"} & (set(service) | set(service.get("healthcheck", ())))
