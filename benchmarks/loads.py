"""What the load benchmarks share: requests, runs of the load generator, and the memory of the service during them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from benchmarks.harness.paths import SAMPLE
from hiseg.bench.mix import parse_people, parse_sizes
from hiseg.bench.report import Report
from hiseg.bench.run import ClosedLoop, OpenLoop, Plan, run
from hiseg.bench.sender import Request
from hiseg.bench.workload import Workload

MEBI = 1024 * 1024


def requests(
    sizes: str = "640x480", people: str = "1-6", photo: Path | None = SAMPLE, **options: object
) -> list[Request]:
    """The photo, or a synthetic one, in these sizes with so many boxes."""
    given = {name: str(value) for name, value in options.items()}
    return list(Workload(parse_sizes(sizes), parse_people(people), given, 1, photo).requests(np.random.default_rng(0)))


def load(url: str, sent: list[Request], loop: OpenLoop | ClosedLoop, seconds: float, warm_up: float = 2.0) -> Report:
    """One run of the generator."""
    return run(Plan(url, loop, seconds, warm_up), sent, np.random.default_rng(0))[0]


@contextmanager
def highest_memory(pid: int) -> Iterator[list[int]]:
    """A list whose last entry is the highest resident memory of a process within the block, in bytes."""
    process, stop = psutil.Process(pid), threading.Event()
    highest = [process.memory_info().rss]

    def watch() -> None:
        while not stop.wait(0.05):
            highest.append(max(highest[-1], process.memory_info().rss))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield highest
    finally:
        stop.set()
        watcher.join()
