"""Measures goodput, latency and memory under twice the capacity for a minute: ``python -m benchmarks.overload``."""

from __future__ import annotations

from benchmarks.gpu_like import command
from benchmarks.harness.serving import SERVE, serving
from benchmarks.loads import MEBI, highest_memory, load, requests
from hiseg.bench.report import Report
from hiseg.bench.run import ClosedLoop, OpenLoop
from hiseg.bench.sender import Outcome

SECONDS = 60
DEADLINES_MS = (3000, 1000)
"""Longer and shorter than the longest predicted wait with which a request is accepted."""
ENGINES = {"B0, embedded": (SERVE, 16), "GPU-like": (command(), 64)}
"""What starts it, and how many callers it takes to keep it busy."""


def main() -> None:
    """Peak, twice that with each deadline, and the peak again, on each engine."""
    for name, (started_by, callers) in ENGINES.items():
        with serving(started_by) as server:
            first = load(server.url, requests(), ClosedLoop(callers), 20)
            print(f"{name}: peak {first.ok_per_s:.1f} images/s", flush=True)
            for deadline in DEADLINES_MS:
                with highest_memory(server.process.pid) as memory:
                    sent = requests(deadline_ms=deadline)
                    show(load(server.url, sent, OpenLoop(2 * first.ok_per_s), SECONDS), first.ok_per_s, deadline)
                print(f"    memory {(memory[-1] - memory[0]) / MEBI:+.1f} MiB", flush=True)
            again = load(server.url, requests(), ClosedLoop(callers), 20)
            print(f"  peak again {again.ok_per_s:.1f}", flush=True)


def show(over: Report, peak: float, deadline: int) -> None:
    """One overload in words."""
    late = over.outcomes["504"] / (over.outcomes[Outcome.OK] + over.outcomes["504"])
    print(f"  deadline {deadline} ms: goodput {over.ok_per_s:.1f}/s, {over.ok_per_s / peak:.2f} of the peak")
    print(f"    latency p50 {over.latency_ms['p50']:.0f} p99 {over.latency_ms['p99']:.0f} ms; too late {late:.2%}")
    print(f"    refused in p50 {over.refusal_ms['p50']:.1f} p99 {over.refusal_ms['p99']:.1f} ms")
    print(f"    outcomes { ({k: v for k, v in over.outcomes.items() if v}) }; generator late p99 {over.late_ms:.1f} ms")


if __name__ == "__main__":
    main()
