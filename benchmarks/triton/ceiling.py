"""Compares hiseg before a real Triton with that Triton's highest throughput: ``python -m benchmarks.triton.ceiling``.

The highest throughput is that of ``perf_analyzer`` with prepared batches in shared memory, as large as hiseg's and
larger, one or two at once, whichever is best; it decodes and draws nothing and requests only masks. Both sides and the
server share the same two cores, so that hiseg's own work takes time from the server.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import httpx

from benchmarks.harness.paths import HISEG
from benchmarks.harness.serving import Server, serving
from benchmarks.harness.triton.server import triton
from benchmarks.loads import load, requests
from benchmarks.triton.perf_analyzer import batches_per_second
from benchmarks.triton.repository import MASKS_ONLY, lay_out
from hiseg.bench.run import ClosedLoop
from hiseg.engines.base import Batch, Cost, Outputs
from hiseg.models.random_inputs import random_batch

ROUNDS = 3
SECONDS = 8
PEOPLE = 3.5
"""On an image, in the mean: 1 to 6."""
CANVAS = (480, 640)


@dataclass(frozen=True, slots=True)
class Case:
    """A model, and who asks how.

    Attributes:
        name: for people.
        cost: of a model that only takes time; None: B0.
        threads: of the server's ONNX Runtime.
        callers: of hiseg, at once.
        sizes: images in a batch of ``perf_analyzer``.
    """

    name: str
    cost: Cost | None
    threads: int
    callers: int
    sizes: Sequence[int]


CASES = (
    Case("GPU-like, 4 ms a batch and 0.9 ms a person", Cost(4.0, 0.0, 0.9), 1, 64, (10, 14)),
    Case("B0 on the CPU", None, 2, 8, (1,)),
)


def batch(images: int) -> Batch:
    """Noise, with as many people as hiseg's callers have in the mean."""
    return random_batch(CANVAS, images, round(images * PEOPLE), Outputs.MASKS)


def batch_sizes(server: Server) -> str:
    """Images and people of hiseg's batches so far, in the mean."""
    lines = dict(line.rsplit(" ", 1) for line in httpx.get(f"{server.url}/metrics").text.splitlines() if line[0] != "#")
    found = []
    for what in ("images", "rois"):
        total = sum(float(v) for k, v in lines.items() if k.startswith(f"hiseg_batch_{what}_sum"))
        count = sum(float(v) for k, v in lines.items() if k.startswith(f"hiseg_batch_{what}_count"))
        found.append(f"{total / max(1.0, count):.1f} {what}")
    return " and ".join(found)


def measure(case: Case) -> None:
    """Both sides take turns."""
    sent = requests(people="1-6")
    ours: list[float] = []
    theirs: dict[tuple[int, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "models"
        lay_out(repository, case.cost)
        with triton(repository, threads=case.threads) as models:
            command = (HISEG, "serve", "--port", "0", "--grpc-port", "0", "--engine", f"triton://{models.address}")
            with serving((*command, "--repository", repository)) as server:
                for _ in range(ROUNDS):
                    report = load(server.url, sent, ClosedLoop(case.callers), SECONDS)
                    ours.append(report.ok_per_s)
                    print(f"  hiseg {report.ok_per_s:.1f} images/s; stages {dict(report.stages_ms)}", flush=True)
                    for images, in_flight in product(case.sizes, (1, 2)):
                        rate = batches_per_second(models.address, MASKS_ONLY, batch(images), in_flight)
                        theirs.setdefault((images, in_flight), []).append(images * rate)
                sizes = batch_sizes(server)
    rates = {way: statistics.median(values) for way, values in theirs.items()}
    for (images, in_flight), rate in rates.items():
        print(f"  perf_analyzer, batches of {images}, {in_flight} at once: {rate:.1f} images/s")
    best, own = max(rates.values()), statistics.median(ours)
    print(
        f"{case.name}: hiseg {own:.1f} images/s, in batches of {sizes}, of the ceiling's {best:.1f}: {own / best:.2f}"
    )


if __name__ == "__main__":
    for case in CASES:
        measure(case)
