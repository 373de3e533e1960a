"""Converts ``docker-compose.yml`` into what ``docker stack deploy`` accepts, for several machines.

``python docker/stack.py triton | docker stack deploy --compose-file - hiseg``, with the names of the profiles to
include as arguments. A stack has no profiles, no order of starts and no builds, and describes GPUs differently; it
refuses a file that says otherwise. Variables are left as they are: ``docker stack deploy`` fills them in.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).parent.parent / "docker-compose.yml"
NOT_IN_A_STACK = ("profiles", "depends_on", "build", "restart")
"""Keys of a service that a stack refuses or ignores."""
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
        services[name] = {key: value for key, value in service.items() if key not in NOT_IN_A_STACK}
        reserved = service.get("deploy", {}).get("resources", {}).get("reservations", {})
        if reserved.pop("devices", None):
            reserved["generic_resources"] = GPU
    wanted = {key: compose[key] for key in ("configs", "secrets", "volumes", "networks") if key in compose}
    return {"services": services} | wanted


if __name__ == "__main__":
    try:
        made = stack(yaml.safe_load(COMPOSE.read_text()), sys.argv[1:])
    except ValueError as error:
        sys.exit(str(error))
    print("# Made of docker-compose.yml by docker/stack.py.")
    yaml.safe_dump(made, sys.stdout, sort_keys=False)
