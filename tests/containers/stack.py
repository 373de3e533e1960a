"""The composition as a stack in Docker's swarm mode, as docs/deploying.md says, on one machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness.paths import ROOT
from benchmarks.harness.ports import free_ports
from tests.containers.composition import until
from tests.containers.engine import Engine

NAME = "hiseg"


class Stack:
    """A deployed stack.

    Attributes:
        label: of containers, with the name of their service.
        http, grpc: URLs on this machine.
    """

    label = "com.docker.swarm.service.name"

    def __init__(self, engine: Engine) -> None:
        """Prepare it; :func:`deployed` starts it.

        Args:
            engine: runs it.
        """
        self.engine = engine
        self.ports = free_ports(2)
        self.http, self.grpc = f"http://127.0.0.1:{self.ports[0]}", f"grpc://127.0.0.1:{self.ports[1]}"

    def ready(self, service: str) -> bool:
        """Whether all tasks of a service run, and none of an older version."""
        form = "{{.Name}} {{.Replicas}}"
        lines = dict(line.split(" ", 1) for line in self.engine.docker("service", "ls", "--format", form).splitlines())
        now, wanted = lines[f"{NAME}_{service}"].split(" ")[0].split("/")
        return now == wanted and len(self.tasks(service)) == int(wanted)

    def tasks(self, service: str) -> list[str]:
        """The running containers of a service."""
        wanted = f"label={self.label}={NAME}_{service}"
        return self.engine.docker("ps", "--quiet", "--filter", wanted).split()


@contextmanager
def deployed(engine: Engine, folder: Path, *profiles: str, **variables: str) -> Iterator[Stack]:
    """A stack until the end of the block, in a swarm of this machine alone.

    Args:
        engine: becomes the swarm, and is none afterwards.
        folder: for the stack's file.
        profiles: of docker-compose.yml.
        variables: of docker-compose.yml.
    """
    stack = Stack(engine)
    made = subprocess.check_output([sys.executable, ROOT / "docker" / "stack.py", *profiles], text=True)
    file = folder / "stack.yml"
    file.write_text(yaml.safe_dump(_at_ports_of_this_machine(yaml.safe_load(made), stack.ports)))
    engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        command = ("stack", "deploy", "--resolve-image", "never", "--compose-file", file, NAME)
        engine.docker(*command, **variables)
        yield stack
    except BaseException:
        print(engine.docker("stack", "ps", "--no-trunc", NAME))
        raise
    finally:
        engine.docker("stack", "rm", NAME)
        until(lambda: not engine.docker("ps", "--quiet"), "tasks of the stack don't end")
        engine.docker("swarm", "leave", "--force")


def _at_ports_of_this_machine(stack: dict[str, Any], ports: list[int]) -> dict[str, Any]:
    """The stack with the load balancer's ports on the machine itself, since a kernel may lack what swarm's own need."""
    stack["services"]["loadbalancer"]["ports"] = [
        {"target": target, "published": port, "protocol": "tcp", "mode": "host"}
        for target, port in zip((8000, 50051), ports, strict=True)
    ]
    for config in stack["configs"].values():
        config["file"] = str(ROOT / config["file"])
    return stack
