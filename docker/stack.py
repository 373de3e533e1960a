"""Converts ``docker-compose.yml`` into what ``docker stack deploy`` accepts, for several machines.

``python docker/stack.py triton | docker stack deploy --compose-file - hiseg``, with the names of the profiles to
include as arguments; ``--secrets`` adds ``docker/secrets.yml``. A stack has no profiles, no order of starts and no
builds, and describes GPUs differently; it refuses a file that says otherwise, and drops other keys without failing:
standard error says which. Variables are left as they are: ``docker stack deploy`` fills them in.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).parent.parent / "docker-compose.yml"
SECRETS = COMPOSE.parent / "docker" / "secrets.yml"
NOT_IN_A_STACK = ("profiles", "depends_on", "build", "restart")
"""Keys of a service that a stack refuses, or has others for."""
DROPPED = {
    "security_opt": "set-user-ID programs may gain privileges (the engine's --no-new-privileges forbids it)",
    "shm_size": "/dev/shm has 64 MB (the engine's --default-shm-size is for all)",
}
"""Keys of a service that a stack ignores, and what that means."""
GPU = [{"discrete_resource_spec": {"kind": "NVIDIA-GPU", "value": 1}}]
"""A GPU as a node's ``/etc/docker/daemon.json`` announces it (``node-generic-resources``)."""


def stack(compose: dict[str, Any], profiles: Collection[str]) -> dict[str, Any]:
    """The stack file: services without a profile and those of the given profiles, without what a stack refuses.

    Args:
        compose: content of ``docker-compose.yml``.
        profiles: names of the profiles to include.

    Raises:
        ValueError: a profile doesn't exist.
    """
    known = {profile for service in compose["services"].values() for profile in service.get("profiles", ())}
    if unknown := sorted(set(profiles) - known):
        raise ValueError(f"there is no profile {', '.join(unknown)}; there is {', '.join(sorted(known))}")
    services = {}
    for name, service in compose["services"].items():
        if "profiles" in service and not set(profiles) & set(service["profiles"]):
            continue
        left_out = (*NOT_IN_A_STACK, *DROPPED)
        services[name] = {key: value for key, value in service.items() if key not in left_out}
        reserved = service.get("deploy", {}).get("resources", {}).get("reservations", {})
        if reserved.pop("devices", None):
            reserved["generic_resources"] = GPU
    # Through swarm's own ingress every caller would have the same address, and share one turn and one limit.
    services["loadbalancer"]["ports"] = [_on_the_machine(port) for port in services["loadbalancer"]["ports"]]
    wanted = {key: compose[key] for key in ("configs", "secrets", "volumes", "networks") if key in compose}
    return {"services": services} | wanted


def with_secrets(compose: dict[str, Any], secrets: dict[str, Any]) -> dict[str, Any]:
    """``docker-compose.yml`` with keys and TLS, as ``docker compose -f … -f …`` merges the two files.

    Args:
        compose: content of ``docker-compose.yml``.
        secrets: content of ``docker/secrets.yml``.
    """
    merged = dict(compose["services"])
    for name, more in secrets["services"].items():
        environment = merged[name].get("environment", {}) | more.get("environment", {})
        merged[name] = merged[name] | more | {"environment": environment}
    return compose | {"services": merged, "secrets": secrets["secrets"]}


def dropped(compose: dict[str, Any], services: Collection[str]) -> list[str]:
    """What these services ask for and a stack does without, a line each."""
    having = {key: [name for name in services if key in compose["services"][name]] for key in DROPPED}
    return [f"dropped {key} of {', '.join(names)}: {DROPPED[key]}" for key, names in having.items() if names]


def _on_the_machine(port: str) -> dict[str, Any]:
    """A port that the task's own machine opens; ``port`` is ``PUBLISHED:TARGET``."""
    published, _, target = port.rpartition(":")
    return {"target": int(target), "published": published, "protocol": "tcp", "mode": "host"}


if __name__ == "__main__":
    profiles = [argument for argument in sys.argv[1:] if argument != "--secrets"]
    compose = yaml.safe_load(COMPOSE.read_text())
    if "--secrets" in sys.argv[1:]:
        compose = with_secrets(compose, yaml.safe_load(SECRETS.read_text()))
    try:
        made = stack(compose, profiles)
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(dropped(compose, made["services"])), file=sys.stderr)
    print("# Made of docker-compose.yml by docker/stack.py.")
    yaml.safe_dump(made, sys.stdout, sort_keys=False)
