"""Measures what tracing costs: no traces, one request in a hundred, every request: ``python -m benchmarks.tracing``.

All three services run at once and take turns, so that a slow moment of the machine affects all of them. The engine
takes no time, and a receiver in a process of its own discards the spans.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import httpx
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from benchmarks.gpu_like import command
from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import Server, serving
from benchmarks.loads import load, requests
from hiseg.bench.run import ClosedLoop

ROUNDS = 7
SECONDS = 3
CALLERS = 16
IDLE_REQUESTS = 600
PORT = 4999
FREE = command("--constant", "0", "--roi", "0")


class Deaf(TraceServiceServicer):  # type: ignore[misc]
    """Takes spans and forgets them."""

    def Export(self, request: object, context: object) -> ExportTraceServiceResponse:  # noqa: N802
        return ExportTraceServiceResponse()


def receiver() -> None:
    """Takes spans until it is ended."""

    server = grpc.server(ThreadPoolExecutor(1))
    add_TraceServiceServicer_to_server(Deaf(), server)
    server.add_insecure_port(f"127.0.0.1:{PORT}")
    server.start()
    server.wait_for_termination()


def sides() -> dict[str, tuple[str, ...]]:
    """What starts each."""
    traced = ("env", "HISEG_TRACING=true", f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{PORT}")
    sample = ("OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01")
    return {"off": FREE, "one in a hundred": (*traced, *sample, *FREE), "all": (*traced, *FREE)}


def measure(commands: Mapping[str, Sequence[str]]) -> None:
    """Idle latency, then throughput and CPU time a request, of all of them in turns."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(command)) for name, command in commands.items()}
        client = stack.enter_context(httpx.Client())
        show("idle, one caller, p50, ms", idle(servers, client))
        rates, costs = busy(servers)
        show(f"{CALLERS} callers, requests/s, median of {ROUNDS} rounds", rates)
        show("CPU of the service, ms a request, median of the same", costs)


def idle(servers: Mapping[str, Server], client: httpx.Client) -> dict[str, list[float]]:
    """Milliseconds of one request after the other."""
    request = requests(people="1", photo=None)[0]
    query = {"boxes": ";".join(",".join(map(str, box)) for box in request.boxes)}
    times: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(IDLE_REQUESTS):
        for name, server in servers.items():
            started = time.perf_counter()
            answer = client.post(
                server.url + "/v1/segment", params=query, content=request.image, headers={"content-type": "image/jpeg"}
            )
            times[name].append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()
    return times


def busy(servers: Mapping[str, Server]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Requests a second, and milliseconds of CPU time a request, of each round."""
    sent = requests(people="1", photo=None)
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            process = psutil.Process(server.process.pid)
            before = process.cpu_times()
            report = load(server.url, sent, ClosedLoop(CALLERS), SECONDS, warm_up=0.0)
            after = process.cpu_times()
            rates[name].append(report.ok_per_s)
            spent = after.user + after.system - before.user - before.system
            costs[name].append(spent * 1000 / (report.ok_per_s * SECONDS))
    return rates, costs


def show(title: str, found: Mapping[str, Sequence[float]]) -> None:
    """The median of each, and what it is to the first: the median of the ratios of each turn."""
    first = next(iter(found.values()))
    print(title)
    for name, values in found.items():
        ratio = statistics.median(own / other for own, other in zip(values, first, strict=True))
        print(f"  {name}: {statistics.median(values):.2f}, ratio {ratio:.3f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["receiver"]:
        receiver()
    else:
        taker = subprocess.Popen([sys.executable, "-m", "benchmarks.tracing", "receiver"], cwd=ROOT)
        try:
            measure(sides())
        finally:
            taker.terminate()
            taker.wait()
