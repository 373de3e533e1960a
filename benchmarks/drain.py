"""Measures whether a SIGTERM under full load loses accepted requests: ``python -m benchmarks.drain``.

Every image that the engine ran must have been answered with 200.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import threading
import time

import numpy as np

from benchmarks.gpu_like import command
from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import PLAYGROUND, READY
from benchmarks.loads import requests
from hiseg.bench.run import ClosedLoop, Plan, run
from hiseg.bench.sender import Outcome

TIMES = 50
CALLERS = 32


def once() -> tuple[int, int, dict[str, int], float, int]:
    """Images run, answers with 200, all outcomes, seconds from the signal to the end, exit code."""
    process = subprocess.Popen(command("--canvases", "2"), stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    log = ""
    for line in process.stderr:
        log += line
        if READY.search(line):
            break
    (url,) = PLAYGROUND.findall(log)
    signalled = 0.0

    def stop() -> None:
        nonlocal signalled
        signalled = time.monotonic()
        process.terminate()

    timer = threading.Timer(1.0, stop)
    timer.start()
    _, samples = run(Plan(url, ClosedLoop(CALLERS), 2.0, 0.0), requests(), np.random.default_rng(0))
    code = process.wait(60)
    took = time.monotonic() - signalled
    ran = int(re.findall(r"images run: (\d+)", process.stderr.read())[0])
    outcomes: dict[str, int] = {}
    for sample in samples:
        outcomes[sample.reply.outcome] = outcomes.get(sample.reply.outcome, 0) + 1
    # The generator's first request, before the loop, isn't among the samples.
    return ran, outcomes[Outcome.OK] + 1, outcomes, took, code


def main() -> None:
    """All of it."""
    lost, took, codes, refused = 0, [], set(), 0
    for _ in range(TIMES):
        ran, answered, outcomes, seconds, code = once()
        lost += ran - answered
        refused += outcomes.get("503", 0)
        took.append(seconds)
        codes.add(code)
    print(f"{TIMES} drains under {CALLERS} callers: {lost} accepted requests lost; {refused} answered with 503")
    print(f"exit codes {codes}; from signal to end: median {statistics.median(took):.2f} s, most {max(took):.2f} s")


if __name__ == "__main__":
    main()
