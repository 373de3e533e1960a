"""Under load, one client's queue does not delay another client."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from benchmarks.gpu_like import command
from benchmarks.harness.serving import Server, serving

pytestmark = pytest.mark.alone

FLOOD, WAITING = 16, 10
ONE_AT_A_TIME = command("--canvases", "1", "--constant", "0", "--image", "150", "--roi", "0")


def post(server: Server, photo: bytes, address: str = "127.0.0.1", **options: str) -> int:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=60) as client:
        headers = {"content-type": "image/jpeg"}
        return client.post(
            server.url + "/v1/segment", params={"boxes": "", **options}, content=photo, headers=headers
        ).status_code


@pytest.mark.parametrize(
    ("flood", "address", "single"),
    [({}, "127.0.0.2", {}), ({"priority": "batch"}, "127.0.0.1", {"priority": "interactive"})],
    ids=["another client", "an interactive request among batch jobs"],
)
def test_a_long_queue_of_one_client_does_not_delay_another(
    photo: bytes, flood: dict[str, str], address: str, single: dict[str, str]
) -> None:
    settings = {"batch_budget_ms": 1, "max_wait_ms": 10_000}
    with serving(ONE_AT_A_TIME, **settings) as server, ThreadPoolExecutor(FLOOD) as pool:
        queued = [pool.submit(post, server, photo, **flood) for _ in range(FLOOD)]
        for _ in range(200):
            if waiting(httpx.get(server.url + "/metrics").text) >= WAITING:
                break
            time.sleep(0.01)
        before = sum(answer.done() for answer in queued)
        assert post(server, photo, address, **single) == 200
        # Before it: what is in the engine, stands before it, or forms, and what is done until it has come at all.
        assert sum(answer.done() for answer in queued) - before < WAITING - 2
        assert {answer.result() for answer in queued} == {200}


def waiting(metrics: str) -> float:
    line = next(line for line in metrics.splitlines() if line.startswith("hiseg_queue_jobs{"))
    return float(line.rpartition(" ")[2])
