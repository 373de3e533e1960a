"""The composition under load, while an operator does to it what docs/deploying.md tells of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from hiseg import segment
from hiseg.client.rle import decode
from tests.containers.composition import Composition, composed, until
from tests.containers.conftest import NEXT
from tests.containers.engine import Engine
from tests.containers.images import official_names
from tests.containers.traffic import BOXES, CALLERS, CAMERAS, under_load
from tests.docker.load import PAUSE_S, load

pytestmark = pytest.mark.containers

REPLICAS = 2
AWAY = int(2 * CALLERS * 10 / PAUSE_S)
"""Requests and calls that may fail while the load balancer restarts: as many as callers can send in the 10 s that it
has for ending (``stop_grace_period``). Measured: 275 to 701, and 7377 when it waited for its streams for a minute."""
Report = Callable[[object], None]


@pytest.fixture(scope="module")
def composition(built: Engine) -> Iterator[Composition]:
    with composed(Composition(built, HISEG_REPLICAS=str(REPLICAS))) as running:
        yield running


@pytest.fixture(autouse=True)
def as_at_first(composition: Composition) -> None:
    """All replicas are there and used before each step."""
    composition.up()
    composition.wait_until_used(REPLICAS)


def test_what_the_docs_try_first_works_and_containers_may_do_little(composition: Composition, photo: bytes) -> None:
    command = ["curl", "-sS", "--fail-with-body", "-H", "content-type: image/jpeg", "--data-binary", f"@{SAMPLE}"]
    where = f"{composition.http}/v1/segment?boxes=22,15,365,512"
    (person,) = json.loads(subprocess.run([*command, where], check=True, capture_output=True).stdout)["instances"]
    mask = decode(person["mask"]["counts"], *person["mask"]["size"])
    right = segment(photo, SAMPLE_BOXES[:1]).instances[0].mask
    assert (mask & right).sum() > 0.99 * (mask | right).sum()
    assert httpx.get(f"{composition.http}/metrics").status_code == 404
    (replica, _), (balancer,) = composition.containers("service"), composition.containers("loadbalancer")
    for container, user in ((replica, "10001"), (balancer, "99")):
        what = ("grep", "-E", "^(Uid|CapEff|NoNewPrivs)", "/proc/1/status")
        status = composition.engine.docker("exec", container, *what)
        assert status.split() == ["Uid:", *[user] * 4, "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
        touched = composition.engine.docker("exec", container, "sh", "-c", "touch /here 2>&1 || true")
        assert "Read-only file system" in touched


def test_scaled_up_and_down(composition: Composition, picture: bytes, report: Report) -> None:
    with under_load(composition, picture) as step:
        composition.up(HISEG_REPLICAS=str(REPLICAS + 2))
        composition.wait_until_used(REPLICAS + 2)
        composition.up(HISEG_REPLICAS=str(REPLICAS))
        composition.wait_until_used(REPLICAS)
    report(step.line())
    step.check()
    assert len(composition.containers("service")) == REPLICAS


def test_a_load_test_starts_and_stops_nothing(composition: Composition, report: Report) -> None:
    before = composition.engine.docker("ps", "--no-trunc", "--quiet")
    # In a shell that doesn't know how many replicas there are.
    said = composition.load_test(HISEG_REPLICAS="1", LOAD_SECONDS="10", LOAD_USERS="3")
    report(said)
    assert "failures 0.00%" in said
    assert composition.engine.docker("ps", "--no-trunc", "--quiet") == before
    image = official_names()["loadtest"]
    command = ("run", "--rm", "-v", "hiseg_reports:/reports:ro", "--entrypoint", "cat", image)
    assert "<html" in composition.engine.docker(*command, "/reports/loadtest-steady.html")


def test_each_replica_is_restarted(composition: Composition, picture: bytes, report: Report) -> None:
    with under_load(composition, picture) as step:
        for container in composition.containers("service"):
            composition.engine.docker("restart", container)
            composition.wait_until_healthy(container)
            composition.wait_until_used(REPLICAS)
    report(step.line())
    step.check()
    assert step.exits == {"service 0": REPLICAS}
    assert step.seen.reconnected >= CAMERAS, "no camera was on a replica that restarted"


def test_one_is_killed_and_only_what_was_inside_fails(composition: Composition, picture: bytes, report: Report) -> None:
    victim = composition.containers("service")[0]
    with under_load(composition, picture) as step:
        os.kill(composition.inspect(victim)["State"]["Pid"], signal.SIGKILL)
        until(lambda: composition.inspect(victim)["RestartCount"] == 1, "a crashed replica isn't started again")
        composition.wait_until_healthy(victim)
        composition.wait_until_used(REPLICAS)
    report(step.line())
    # A caller waits for one answer at a time, so of each no more than one request was inside.
    step.check(failed=2 * CALLERS, reconnected=CAMERAS, ended={"service 137"})


def test_upgraded_to_another_image(composition: Composition, picture: bytes, report: Report) -> None:
    old = composition.containers("service")
    beside = ("--no-recreate", "service")
    with under_load(composition, picture) as step:
        composition.up(*beside, HISEG_VERSION=NEXT, HISEG_REPLICAS=str(2 * REPLICAS))
        composition.wait_until_used(2 * REPLICAS)
        for container in old:
            composition.engine.docker("stop", container)
        composition.engine.docker("container", "rm", *old)
        composition.up(*beside, HISEG_VERSION=NEXT)
        composition.wait_until_used(REPLICAS)
    report(step.line())
    step.check()
    new = composition.containers("service")
    assert len(new) == REPLICAS
    assert not set(new) & set(old)
    assert all("upgraded" in composition.inspect(container)["Config"]["Labels"] for container in new)
    composition.variables["HISEG_VERSION"] = NEXT  # as the operator's .env says from now on


def test_the_load_balancer_reads_its_file_again(composition: Composition, picture: bytes, report: Report) -> None:
    with under_load(composition, picture) as step:
        composition.compose("kill", "--signal", "SIGUSR2", "loadbalancer")
        until(lambda: step.seen.reconnected == CAMERAS, "what was before the reload keeps its streams")
        composition.wait_until_used(REPLICAS)
    report(step.line())
    step.check(reconnected=CAMERAS, ended=set())


def test_the_load_balancer_is_restarted_with_cameras_connected(
    composition: Composition, picture: bytes, report: Report
) -> None:
    with under_load(composition, picture) as step:
        composition.compose("restart", "loadbalancer")
        composition.wait_until_used(REPLICAS)
    report(step.line())
    # There is one load balancer, so everybody is refused while it is away. If it waited for cameras it would be killed.
    step.check(failed=AWAY, ended={"loadbalancer 0"})


def test_refusals_arrive(composition: Composition, photo: bytes, report: Report) -> None:
    """Answers that are given before a large body has been read, on new connections and on kept ones."""
    body = photo * (3_000_000 // len(photo))
    refused = {
        415: {"content": body, "headers": {"content-type": "text/plain"}},
        413: {"content": photo * (30_000_000 // len(photo)), "headers": {"content-type": "image/jpeg"}},
    }
    came: dict[int, int] = {}
    for status, request in refused.items():
        came[status] = 0
        with httpx.Client(timeout=60) as kept:
            for number in range(20):
                ask = kept.post if number % 2 else httpx.post
                answer = ask(f"{composition.http}/v1/segment", params={"boxes": "22,15,365,512"}, **request)
                came[status] += answer.status_code == status
    report(came)
    assert set(came.values()) == {20}


def test_large_uploads_at_once_are_answered(composition: Composition, photo: bytes, report: Report) -> None:
    """Multipart bodies of 13 MB, more of them than a small file system for temporary files has room for."""
    # Comments of 64 KiB each, which a decoder skips.
    padded = photo[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 200 + photo[2:]

    def upload(_: int) -> int:
        files, where = {"image": ("people.jpg", padded, "image/jpeg")}, f"{composition.http}/v1/segment"
        return httpx.post(where, files=files, data={"boxes": "22,15,365,512"}, timeout=120).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(upload, range(16)))
    report({status: statuses.count(status) for status in sorted(set(statuses))})
    assert set(statuses) <= {200, 429}
    assert 200 in statuses


def test_taken_down_under_load(composition: Composition, picture: bytes, report: Report) -> None:
    with (
        composition.engine.exits(composition.label) as exits,
        load(composition.http, composition.grpc, picture, BOXES, CAMERAS, CALLERS) as seen,
    ):
        until(lambda: seen.http["200"] and seen.grpc["OK"] and seen.results, "nothing is answered")
        composition.down()
    report(f"{seen.http.total()} requests, {seen.grpc.total()} calls; wrong masks {seen.wrong}; ended: {dict(exits)}")
    assert seen.wrong == 0
    assert exits["service 0"] == REPLICAS
    # It is killed if cameras don't leave it in time.
    assert set(exits) <= {"service 0", "loadbalancer 0", "loadbalancer 137"}
    assert not composition.engine.docker("ps", "--all", "--quiet")
    assert "hiseg" not in composition.engine.docker("network", "ls", "--format", "{{.Name}}")
