"""Attacks a service in every way that is listed: ``python -m benchmarks.hostile``.

Each kind gets a service of its own, with defaults, B0 and two cores. A well-behaved caller notes what it notices, for
some seconds without the attack and then with it. Afterwards the attacker falls silent without closing anything, and the
service has a minute to get back to what it was; the next kind begins meanwhile, beside services that do nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from benchmarks.harness.paths import ROOT
from benchmarks.hostile.kinds import KINDS
from benchmarks.hostile.measure import Outcome, measure
from benchmarks.hostile.table import AFTER, BEFORE, CELLS, PAGE, load, missed, save, with_table

CORES = 2
WATCHED = 6
"""Services that are watched at once after their attacks."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="which to run; all of them if none is named")
    parser.add_argument("--list", action="store_true", help="say which kinds there are")
    parser.add_argument("--try", dest="trying", action="store_true", help="print only, and write no file")
    parser.add_argument("--seconds", type=float, help="length of each attack; by default each has its own")
    parser.add_argument(
        "--after", type=float, default=60, help="seconds that the service has to get back to what it was"
    )
    parser.add_argument("--json", type=Path, default=AFTER, metavar="FILE", help="where the figures go")
    parser.add_argument(
        "--source", type=Path, default=ROOT / "service", metavar="DIR", help="`service` of another checkout"
    )
    parsed = parser.parse_args()
    if unknown := set(parsed.kinds) - set(KINDS):
        parser.error(f"unknown kinds: {', '.join(sorted(unknown))}")
    return parsed


def show(outcome: Outcome) -> str:
    """An outcome in one line."""
    health, answers, peak, left = (cell(outcome).strip("*") for cell in CELLS)
    settled = "" if outcome.settled_s is None else f" in {outcome.settled_s:.0f} s"
    parts = [
        f"{'MISSED' if missed(outcome) else 'kept  '} {outcome.kind:24}",
        f"healthz {health} ms (loop {outcome.health.worst_loop:.0f} CPU ms)",
        f"answer {answers} ms (undisturbed {outcome.answers_before.median:.0f})",
        f"MiB {outcome.idle_mib:.0f} +{peak}, then +{left}{settled}",
        f"{outcome.cpu_s:.1f} CPU s of {outcome.seconds:.0f}",
        str(outcome.facts),
        *(str(waits.failed) for waits in (outcome.health, outcome.answers) if waits.failed),
    ]
    return "; ".join([*parts, f"tracebacks: {outcome.tracebacks}"] if outcome.tracebacks else parts)


def main() -> None:
    """All of it."""
    options = arguments()
    chosen = [KINDS[name] for name in options.kinds or KINDS]
    if options.list:
        for kind in chosen:
            print(f"{kind.name:24} {kind.text}")
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    watched: list[Future[Outcome]] = []
    outcomes: dict[str, Outcome] = {}

    def done(future: Future[Outcome]) -> None:
        if not future.exception():
            outcomes[future.result().kind] = future.result()
            print(show(future.result()), flush=True)

    with ThreadPoolExecutor(WATCHED) as pool:
        for kind in chosen:
            watching = pool.submit(measure(kind, options.source.resolve(), options.seconds).watch, options.after)
            watching.add_done_callback(done)
            watched.append(watching)
    for future in watched:
        future.result()
    print(f"{sum(map(missed, outcomes.values()))} of {len(outcomes)} kinds missed a mark")
    if not options.trying:
        save(options.json, outcomes)
        if PAGE.exists():
            PAGE.write_text(with_table(PAGE.read_text(), load(BEFORE), load(AFTER)))


if __name__ == "__main__":
    main()
