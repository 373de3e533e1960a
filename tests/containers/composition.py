"""The composition of docker-compose.yml in real containers, with the commands that docs/deploying.md gives."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness.paths import ROOT
from benchmarks.harness.ports import free_ports
from tests.containers.engine import DockerError, Engine
from tests.docker.balancer import servers_up

BACKENDS = ("http", "grpc", "streams")
PUBLISHED = ("HTTP", "GRPC", "PROMETHEUS", "GRAFANA")
WAIT_SECONDS = 240
"""For whatever has to come true: no more than a guard against waiting for ever."""
STOP_SECONDS = 240


def until(true: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait for something that comes true by itself."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


class Composition:
    """A project of Compose, published on ports of its own.

    Attributes:
        label: of containers, with the name of their service.
        http, grpc, prometheus: URLs on this machine; of TLS if that is asked for.
    """

    label = "com.docker.compose.service"

    def __init__(self, engine: Engine, files: Sequence[Path] = (), secure: bool = False, **variables: str) -> None:
        """Prepare it; :meth:`up` starts it.

        Args:
            engine: runs it.
            files: over docker-compose.yml.
            secure: whether the load balancer has a certificate.
            variables: of docker-compose.yml, as a ``.env`` file would have them.
        """
        self.engine = engine
        ports = dict(zip(PUBLISHED, map(str, free_ports(len(PUBLISHED))), strict=True))
        self.variables = variables | {f"PUBLISH_{name}": port for name, port in ports.items()}
        self._files = [argument for file in (ROOT / "docker-compose.yml", *files) for argument in ("--file", str(file))]
        s, host = ("s", "localhost") if secure else ("", "127.0.0.1")
        self.http, self.grpc = f"http{s}://{host}:{ports['HTTP']}", f"grpc{s}://{host}:{ports['GRPC']}"
        self.prometheus = f"http://127.0.0.1:{ports['PROMETHEUS']}"

    def compose(self, *arguments: str, seconds: float = 300, **variables: str) -> str:
        """What ``docker compose ARGUMENTS`` prints.

        Raises:
            DockerError: it failed.
        """
        # A developer's own .env isn't read.
        where = ("--env-file", "/dev/null", "--project-directory", str(ROOT), *self._files)
        return self.engine.docker("compose", *where, *arguments, seconds=seconds, **(self.variables | variables))

    def up(self, *arguments: str, profiles: Sequence[str] = (), **variables: str) -> None:
        """``docker compose up``, until every container that has a health check is healthy."""
        chosen = [argument for profile in profiles for argument in ("--profile", profile)]
        self.compose(*chosen, "up", "--detach", "--wait", *arguments, **variables)

    def load_test(self, **variables: str) -> str:
        """What the load test's container says of the service at its end, marks that it missed included."""
        command = ("--profile", "load", "run", "--rm", "loadtest")
        try:
            said = self.compose(*command, **variables)
        except DockerError as error:
            said = str(error)
        return said[said.rfind("asked ") :].strip()

    def down(self) -> None:
        """``docker compose down``, with all profiles."""
        self.compose("--profile", "*", "down", "--volumes", seconds=STOP_SECONDS)

    def containers(self, service: str) -> list[str]:
        """Names of the running containers of a service, in the order of their numbers."""
        wanted = f"label={self.label}={service}"
        names = self.engine.docker("ps", "--filter", wanted, "--format", "{{.Names}}").split()
        return sorted(names, key=lambda name: int(name.rpartition("-")[2]))

    def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        (found,) = json.loads(self.engine.docker("inspect", container))
        return dict(found)

    def address(self, container: str) -> str:
        """A container's address in the composition's network."""
        (network,) = self.inspect(container)["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def wait_until_used(self, count: int) -> None:
        """Until so many replicas get requests of each kind."""
        (balancer,) = self.containers("loadbalancer")
        stats = f"http://{self.address(balancer)}:8404"

        def used() -> bool:
            with contextlib.suppress(httpx.TransportError):  # it isn't there yet, or reads its file again
                return all(len(servers_up(stats, backend)) == count for backend in BACKENDS)
            return False

        until(used, f"the load balancer doesn't use {count} replicas")

    def wait_until_healthy(self, container: str) -> None:
        """As docs/deploying.md says: until ``docker ps`` says healthy."""
        until(
            lambda: self.inspect(container)["State"].get("Health", {}).get("Status") == "healthy",
            f"{container} isn't healthy",
        )


@contextmanager
def composed(composition: Composition, *profiles: str) -> Iterator[Composition]:
    """The composition, up until the end of the block; if it doesn't start, what its containers wrote is printed."""
    try:
        try:
            composition.up(profiles=profiles)
        except DockerError:
            print(composition.compose("--profile", "*", "logs", "--tail", "40", "--no-color"))
            raise
        yield composition
    finally:
        composition.down()
