"""With mixed traffic, every request is counted once, and nothing is held for it afterwards."""

from __future__ import annotations

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.gpu_like import command
from benchmarks.harness.serving import serving
from hiseg.transports.http import problems

TIMES = 5
JPEG = {"content-type": "image/jpeg"}
STATUS = {"ok": 200} | {reason.value: status for kind, status in problems.STATUS.items() for reason in kind.reasons}


def sums(client: httpx.Client, name: str, label: str) -> Counter[str]:
    """Values of a metric by one of its labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    found: Counter[str] = Counter()
    for family in families:
        for sample in family.samples:
            if sample.name == name:
                found[sample.labels[label]] += int(sample.value)
    return +found


def test_every_request_is_counted_once_and_nothing_is_held_afterwards(photo: bytes) -> None:
    slow = command("--canvases", "1", "--constant", "0", "--image", "100", "--roi", "0")
    with (
        serving(slow, max_wait_ms=1000, batch_budget_ms=1, body_timeout_seconds=1) as server,
        ThreadPoolExecutor(64) as pool,
    ):
        host, _, port = server.url.removeprefix("http://").partition(":")

        def post(content: bytes = photo, media_type: str = "image/jpeg", **options: object) -> int:
            headers = {"content-type": media_type}
            return httpx.post(
                f"{server.url}/v1/segment",
                params={"boxes": "", **options},
                content=content,
                headers=headers,
                timeout=30,
            ).status_code

        def hang_up(sent: bytes) -> None:
            """Say that the whole photo comes, send this much, and go."""
            first = "POST /v1/segment?boxes= HTTP/1.1\r\nhost: x\r\n"
            head = f"{first}content-type: image/jpeg\r\ncontent-length: {len(photo)}"
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head.encode() + b"\r\n\r\n" + sent)
                time.sleep(0.1)

        with httpx.Client(base_url=server.url) as client:
            waiting = []
            for _ in range(TIMES):
                waiting += [
                    pool.submit(post, boxes="1,2,3"),
                    pool.submit(post, variant="b9"),
                    pool.submit(post, photo[:2000]),
                    pool.submit(post, b"GIF89a"),
                    pool.submit(post, photo, "text/plain"),
                    pool.submit(post, photo, boxes=";".join(["0,0,9,9"] * 101)),
                    pool.submit(post, deadline_ms=1),
                    *(pool.submit(post) for _ in range(6)),
                ]
            gone = [pool.submit(hang_up, sent) for sent in (photo, photo[:1000], b"") for _ in range(TIMES)]
            statuses = Counter(future.result() for future in waiting)
            for future in gone:
                future.result()
            while "hiseg_requests_in_progress 0.0" not in client.get("/metrics").text:
                time.sleep(0.01)

            counted = sums(client, "hiseg_requests_total", "outcome")
            assert counted.total() == len(waiting) + len(gone), counted
            assert counted.keys() <= {*STATUS, "gone"}
            by_status: Counter[int] = Counter()
            for outcome, count in counted.items():
                if outcome != "gone":
                    by_status[STATUS[outcome]] += count
            # A caller who hung up may have been refused before.
            assert by_status[429] - statuses[429] + counted["gone"] == len(gone)
            assert by_status | {429: 0} == statuses | {429: 0}
            assert min(statuses[status] for status in (200, 413, 415, 422, 429)) > 0
            assert sums(client, "hiseg_request_seconds_count", "outcome") == counted
            assert sums(client, "hiseg_rejected_total", "reason").total() == by_status[429]
            text = client.get("/metrics").text
            for gauge in ("hiseg_held_bytes", 'hiseg_queue_jobs{model="gpu_like"}'):
                assert f"{gauge} 0.0" in text
