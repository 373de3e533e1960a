"""Measures how fast the service refuses a request, and notices a lost caller: ``python -m benchmarks.refusals``."""

from __future__ import annotations

import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.gpu_like import command
from benchmarks.harness.serving import Server, serving
from benchmarks.loads import requests

REFUSALS = 200
HANG_UPS = 100
AT_ONCE = 110
MAX_WAIT_MS = 20_000
BATCH_MS, PICTURE_MS = 4000, 200
"""The engine holds its first batch for four seconds: long enough for everything here."""


def refusals(server: Server) -> None:
    """Fill the queue behind a blocked engine, then ask again and again."""
    (request,) = requests(people="1")[:1]
    query = {"boxes": ";".join(",".join(map(str, box)) for box in request.boxes)}
    headers = {"content-type": "image/jpeg"}

    def post() -> httpx.Response:
        return httpx.post(server.url + "/v1/segment", params=query, content=request.image, headers=headers, timeout=120)

    pool = ThreadPoolExecutor(AT_ONCE + 20)
    accepted = [pool.submit(post) for _ in range(AT_ONCE)]
    time.sleep(1)
    refused = sum(request.done() for request in accepted)
    print(f"of {len(accepted)} at once {refused} were refused; {len(accepted) - refused} inside")
    with httpx.Client() as client:
        times = []
        while len(times) < REFUSALS:
            started = time.perf_counter()
            try:
                answer = client.post(
                    server.url + "/v1/segment", params=query, content=request.image, headers=headers, timeout=0.3
                )
            except httpx.ReadTimeout:
                pool.submit(post)  # the first batch has come nearer to its end, so there was room for one more
                continue
            times.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 429, answer.text
            assert "retry-after" in answer.headers
    times.sort()
    print(f"429 in p50 {statistics.median(times):.1f}, p99 {times[-3]:.1f}, most {times[-1]:.1f} ms, of {REFUSALS}")
    pool.shutdown(wait=False, cancel_futures=True)


def hang_ups(server: Server) -> None:
    """Close the connection while the request waits; ask the metrics until it is noticed."""
    (request,) = requests(people="1")[:1]
    length = len(request.image)
    head = f"POST /v1/segment?boxes= HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: {length}"
    host, _, port = server.url.removeprefix("http://").partition(":")
    times = []
    with httpx.Client(base_url=server.url) as client:

        def inside(count: int) -> None:
            while f"hiseg_requests_in_progress {count:.1f}" not in client.get("/metrics").text:
                pass

        blocking = socket.create_connection((host, int(port)))
        blocking.sendall(head.encode() + b"\r\n\r\n" + request.image)
        inside(1)
        for _ in range(HANG_UPS):
            connection = socket.create_connection((host, int(port)))
            connection.sendall(head.encode() + b"\r\n\r\n" + request.image)
            inside(2)
            closed = time.perf_counter()
            connection.close()
            inside(1)
            times.append((time.perf_counter() - closed) * 1000)
    times.sort()
    print(f"hang-up seen within p50 {statistics.median(times):.1f}, most {times[-1]:.1f} ms; a look takes about 2")


def main() -> None:
    """Both, each before an engine of its own; it is not waited for."""
    blocked = command("--canvases", "1", "--constant", str(BATCH_MS), "--image", str(PICTURE_MS), "--roi", "0")
    for question in (hang_ups, refusals):
        with serving(blocked, code=-9, max_wait_ms=MAX_WAIT_MS) as server:
            question(server)
            server.process.kill()


if __name__ == "__main__":
    main()
