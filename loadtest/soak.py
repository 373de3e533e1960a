"""Soak test: an hour of mixed load on one service, to see whether its memory or its open files grow.

``python -m loadtest.soak --minutes 60`` sends HTTP, gRPC, streams, invalid requests and callers that hang up, at a rate
well within the capacity. The exit code is 1 if memory grew by more than is allowed after the warm-up, if the number of
open files grew, or if an answer was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import psutil

from benchmarks.harness.serving import Server, serving
from loadtest.callers import Callers, Unexpected
from loadtest.shots import shots

MEBI = 1024 * 1024
SAMPLE_S = 5.0
WARM_UP = 0.15
"""Share of the time after which nothing should grow any more."""
WINDOW = 0.15
"""Share of the samples that are the beginning, and the end."""
MEMORY_MIB = 70
DESCRIPTORS = 8
"""Callers come and go while they are counted."""
ROWS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """The service at one moment: seconds since the start, resident memory in MiB, open descriptors, threads."""

    at: float
    memory: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What grew between the first samples after the warm-up and the last: MiB and descriptors, of their medians."""

    memory: float
    descriptors: float
    highest: float

    @property
    def passed(self) -> bool:
        return self.memory < MEMORY_MIB and self.descriptors < DESCRIPTORS


def judge(samples: Sequence[Sample]) -> Verdict:
    """The verdict on samples at even times; there must be one after the warm-up."""
    after = [sample for sample in samples if sample.at >= WARM_UP * samples[-1].at]
    window = max(1, round(WINDOW * len(after)))
    first, last = after[:window], after[-window:]
    return Verdict(
        median(s.memory for s in last) - median(s.memory for s in first),
        median(s.descriptors for s in last) - median(s.descriptors for s in first),
        max(s.memory for s in after) - median(s.memory for s in first),
    )


def table(samples: Sequence[Sample]) -> str:
    """Some of the samples, evenly."""
    step = max(1, len(samples) // ROWS)
    lines = [f"{'minute':>7}{'MiB':>8}{'descriptors':>13}{'threads':>9}"]
    lines += [f"{s.at / 60:7.1f}{s.memory:8.0f}{s.descriptors:13d}{s.threads:9d}" for s in samples[::step]]
    return "\n".join(lines)


async def soak(server: Server, minutes: float, rate: float) -> tuple[list[Sample], Counter[str], list[str]]:
    """Samples, how many calls had which outcome, and what was unexpected."""
    callers = Callers(server.url, server.grpc, shots())
    random = np.random.default_rng(1)
    names = list(callers.kinds)
    shares = np.array([callers.kinds[name][0] for name in names], float)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []

    async def one(kind: str) -> None:
        try:
            outcomes[f"{kind}: {await callers.call(kind)}"] += 1
        except (Unexpected, OSError) as error:
            outcomes[f"{kind}: unexpected"] += 1
            wrong.append(f"{kind}: {error}")

    samples: list[Sample] = []
    watched, start = psutil.Process(server.process.pid), time.monotonic()
    async with asyncio.TaskGroup() as group:
        while (now := time.monotonic() - start) < minutes * 60:
            if now >= len(samples) * SAMPLE_S:
                memory = watched.memory_info().rss / MEBI
                samples.append(Sample(now, memory, watched.num_fds(), watched.num_threads()))
                if len(samples) % 12 == 0:
                    print(f"{now / 60:.0f} min: {memory:.0f} MiB, {dict(outcomes)}", file=sys.stderr, flush=True)
            group.create_task(one(str(random.choice(names, p=shares / shares.sum()))))
            await asyncio.sleep(random.exponential(1 / rate))
    return samples, outcomes, wrong


def main() -> int:
    """The service, the callers, the table, the verdict."""
    parser = argparse.ArgumentParser(description="soak: does a service keep its memory and its descriptors?")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=3.0, help="calls a second, of all kinds")
    given = parser.parse_args()
    with serving() as server:
        # Nobody else reads what the service says, and a full pipe would stop it.
        threading.Thread(target=deque, args=(server.process.stderr, 0), daemon=True).start()
        samples, outcomes, wrong = asyncio.run(soak(server, given.minutes, given.rate))
    verdict = judge(samples)
    print(table(samples))
    print("\n".join(f"{outcome:<30}{number:>8}" for outcome, number in sorted(outcomes.items())))
    print(
        f"memory {verdict.memory:+.1f} MiB after the warm-up (less than {MEMORY_MIB} is asked), at most "
        f"{verdict.highest:+.1f}; descriptors {verdict.descriptors:+.1f}; {len(wrong)} unexpected"
    )
    print("\n".join(sorted(set(wrong))[:20]))
    return 0 if verdict.passed and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
