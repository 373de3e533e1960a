"""Measures the service without a model: ``python -m benchmarks.front_end``.

It measures the share of a fast engine's capacity that the service reaches, and the latency that the service adds for a
single caller.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response

from benchmarks.gpu_like import command
from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import serving
from benchmarks.loads import load, requests
from benchmarks.policies import capacity
from hiseg.bench.run import ClosedLoop
from hiseg.bench.sender import Request as Sent

ROUNDS = 5
SECONDS = 10
CALLERS = 64
IDLE_REQUESTS = 400
ECHO_PORT = 8765


def echo_app() -> FastAPI:
    """Bare FastAPI: the body comes back."""
    app = FastAPI()

    @app.post("/v1/segment")
    async def segment(request: Request) -> Response:
        return Response(await request.body(), media_type="image/jpeg")

    return app


def throughput() -> None:
    """Images a second through an engine that costs 4 ms a batch and 0.9 ms a person, against what it could do."""
    sent = requests()
    found = []
    with serving(command()) as server:
        for _ in range(ROUNDS):
            report = load(server.url, sent, ClosedLoop(CALLERS), SECONDS)
            found.append(report.ok_per_s)
            print(f"  {report.ok_per_s:.1f}/s; p50 {report.latency_ms['p50']:.0f} ms; stages {dict(report.stages_ms)}")
    median = statistics.median(found)
    print(f"median {median:.1f}/s of the engine's {capacity():.1f}/s: {median / capacity():.2f}")


def idle() -> None:
    """One caller, one request at a time, taking turns between the service and the echo."""
    pictures = {"synthetic": requests(people="1", photo=None)[0], "sample photo": requests(people="1")[0]}
    echo = subprocess.Popen([sys.executable, "-m", "benchmarks.front_end", "echo"], cwd=ROOT)
    try:
        with serving(command("--constant", "0", "--roi", "0")) as server, httpx.Client() as client:
            urls = {"echo": f"http://127.0.0.1:{ECHO_PORT}", "service": server.url}
            time.sleep(2)
            for name, request in pictures.items():
                print(f"{name}: {one_by_one(client, urls, request)}")
    finally:
        echo.terminate()
        echo.wait()


def one_by_one(client: httpx.Client, urls: dict[str, str], request: Sent) -> str:
    """What the service adds to the echo for one image, in words."""
    query = {"boxes": ";".join(",".join(map(str, box)) for box in request.boxes)}
    times: dict[str, list[float]] = {name: [] for name in urls}
    stages: list[dict[str, float]] = []
    for _ in range(IDLE_REQUESTS):
        for name, url in urls.items():
            started = time.perf_counter()
            answer = client.post(
                url + "/v1/segment", params=query, content=request.image, headers={"content-type": "image/jpeg"}
            )
            times[name].append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()
            if name == "service":
                stages.append(answer.json()["timings_ms"])
    medians = {name: statistics.median(values) for name, values in times.items()}
    own = ", ".join(f"{stage} {statistics.median(s[stage] for s in stages):.2f}" for stage in stages[0])
    return (
        f"{len(request.image) / 1000:.0f} KB JPEG, 640 x 480, 1 person, an engine that takes no time; p50, ms: "
        f"echo {medians['echo']:.2f}, service {medians['service']:.2f}, added "
        f"{medians['service'] - medians['echo']:.2f}; the service's own stages: {own}"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["echo"]:
        uvicorn.run(echo_app(), port=ECHO_PORT, log_level="warning")
    else:
        idle()
        throughput()
