"""Answers that come before their requests' bodies, such as refusals, reach callers through the load balancer."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.docker.balancer import balancing, need_haproxy
from tests.docker.names import naming
from tests.service.transports.http.http_server import served

SIZES = (300_000, 3_000_000)
COUNT = 10


def test_no_early_answer_is_lost(tmp_path: Path) -> None:
    need_haproxy()
    answers: Counter[int] = Counter()
    with (
        served(proxies=("127.0.0.1",)) as app,
        naming([app.address[0]]) as names,
        balancing(names, app.address[1], app.address[1], tmp_path) as balancer,
        httpx.Client() as client,
        httpx.Client(verify=False, limits=httpx.Limits(max_keepalive_connections=0)) as reconnecting,
    ):
        end = time.monotonic() + 30
        while not balancer.up("http"):
            if time.monotonic() > end:
                pytest.fail("the load balancer does not see the service")
            time.sleep(0.05)
        for size in SIZES:
            for each in (client, reconnecting):
                for _ in range(COUNT):
                    answers[each.post(f"{balancer.http}/early", content=bytes(size)).status_code] += 1
    assert answers == {200: 2 * COUNT * len(SIZES)}
