"""Two services and two Tritons behind the load balancer are restarted in turn, without an error for callers.

The processes are the real ones, and the load balancer has the composition's own file. The test does what a container
engine would do: it starts and stops processes, and resolves the name of all replicas.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from benchmarks.harness.paths import HISEG, ROOT
from benchmarks.harness.ports import free_ports
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import Server, serving
from benchmarks.harness.triton.models import copy_of_ours, targets_of
from benchmarks.harness.triton.server import Triton, triton
from tests.docker.balancer import balancing, need_haproxy
from tests.docker.load import load, small
from tests.docker.names import naming

pytestmark = pytest.mark.alone

REPLICAS = ("127.0.1.1", "127.0.1.2")
"""Two machines, as far as the load balancer can tell: the same ports on addresses of their own."""
CAMERAS = 2
BOXES = [[4.0, 3.0, 70.0, 96.0]]
BACKENDS = ("http", "grpc", "streams")
TRITON = "hiseg_triton_state"


def until(true: Callable[[], object], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def composed(name: str) -> str:
    """A variable of the service, as the composition sets it."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return str(services["service"]["environment"][name])


class Replica:
    """A service on an address of its own that can be restarted there."""

    def __init__(self, host: str, ports: tuple[int, int], engine: str) -> None:
        where = ("--host", host, "--port", str(ports[0]), "--grpc-port", str(ports[1]))
        self._command = (HISEG, "serve", *where, "--repository", REPOSITORY, "--engine", engine)
        self.ports = ports
        self.url = f"http://{host}:{ports[0]}"

    def start(self) -> None:
        self._running = serving(
            self._command,
            shutdown_delay_seconds=composed("HISEG_SHUTDOWN_DELAY_SECONDS"),
            drain_seconds=composed("HISEG_DRAIN_SECONDS"),
            fallback="off",
        )
        self.server: Server = self._running.__enter__()

    def stop(self) -> None:
        """SIGTERM; it must end with 0."""
        self._running.__exit__(None, None, None)

    def metric(self, name: str) -> list[str]:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return [line for line in lines if line.startswith(name)]

    def sees(self, server: Triton) -> bool:
        """Whether it uses this Triton."""
        wanted = (f'"{server.address}"', 'state="up"')
        return any(all(part in line for part in wanted) and line.endswith(" 1.0") for line in self.metric(TRITON))


@contextmanager
def running(engine: str) -> Iterator[list[Replica]]:
    ports = free_ports(2)
    replicas = [Replica(host, (ports[0], ports[1]), engine) for host in REPLICAS]
    with ExitStack() as ends:
        for replica in replicas:
            replica.start()
            ends.callback(replica.stop)
        yield replicas


def test_everything_restarts_in_turn_and_callers_see_nothing(photo: bytes, tmp_path: Path) -> None:
    need_haproxy()
    picture = small(photo)
    repository = copy_of_ours(tmp_path)
    with (
        triton(repository) as first,
        triton(repository) as second,
        running(targets_of(first, second)) as replicas,
        naming(REPLICAS) as names,
        balancing(names, *replicas[0].ports, tmp_path) as balancer,
    ):

        def all_are_used() -> bool:
            return all(len(balancer.up(backend)) == len(replicas) for backend in BACKENDS)

        until(all_are_used, "the load balancer has not both replicas")
        with load(balancer.http, balancer.grpc, picture, BOXES, CAMERAS) as seen:
            until(
                lambda: all(replica.metric("hiseg_grpc_streams") == ["hiseg_grpc_streams 1.0"] for replica in replicas),
                "the cameras are not spread",
            )
            for replica in replicas:
                replica.stop()
                replica.start()
                until(all_are_used, "it is not used again")
            for server in (first, second):
                server.terminate()
                assert server.wait_until_ended() == 0
                server.start()
                until(lambda server=server: all(each.sees(server) for each in replicas), "Triton is not used again")
            results = seen.results
            until(lambda: seen.results > results, "cameras get nothing any more")
    print(seen)
    assert set(seen.http) == {"200"}, seen
    assert set(seen.grpc) == {"OK"}, seen
    assert seen.reconnected >= CAMERAS, seen
    # On a busy machine one replica alone may be too slow for both cameras, and says so.
    assert set(seen.lost) <= {"superseded", "unavailable", "overloaded"}, seen
    assert seen.wrong == 0
