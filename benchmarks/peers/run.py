"""Measures hiseg and its peers in turns: ``python -m benchmarks.peers.run --peer ray``; all peers without ``--peer``.

For each peer, every way of using two cores is tried in a closed loop, and the one with the highest throughput is kept.
Then hiseg and the peer get the same open load (Poisson, the same requests at the same times) in turns, at fractions of
hiseg's throughput in a closed loop before. All results are written to ``runs/peers/NAME.json``, from which
``python -m benchmarks.peers.table`` makes a table and a chart.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness.serving import serving
from benchmarks.loads import requests
from benchmarks.peers.agreement import least_iou
from benchmarks.peers.masks import DEADLINE_S
from benchmarks.peers.server import PEERS, ROOT, describe, peer_serving
from benchmarks.peers.ways import WAYS
from hiseg.bench.report import percentiles
from hiseg.bench.run import ClosedLoop, OpenLoop, Plan, run
from hiseg.bench.sender import Outcome, Request
from hiseg.core.command_errors import CommandError

SHARES = (0.3, 0.7, 1.0, 1.5)
CALLERS = 8
TRIAL_S, WARM_UP_S, TIMEOUT_S = 6.0, 2.0, 20.0
MAX_WAIT_MS = 1000
"""Of hiseg, which needs no number of requests for it: about what the peers are bounded to."""
RESULTS = ROOT / "runs" / "peers"


@dataclass(frozen=True, slots=True)
class Figures:
    """One server under one load.

    Attributes:
        goodput: answers within the deadline, a second, of requests meant for the measured time.
        answered: of them, and late ones, a second.
        p50: milliseconds from the intended send time, of all good answers, late ones too.
        p99: the same.
        outcomes: how many requests ended how; late answers are ``ok`` too.
    """

    goodput: float
    answered: float
    p50: float | None
    p99: float | None
    outcomes: dict[str, int]


def capacity(url: str, sent: list[Request]) -> float:
    """Images a second with callers that wait."""
    plan = Plan(url, ClosedLoop(CALLERS), TRIAL_S, WARM_UP_S, TIMEOUT_S)
    try:
        return run(plan, sent, np.random.default_rng(0))[0].ok_per_s
    except CommandError:
        return 0.0


def figures(url: str, sent: list[Request], rate: float, seconds: float) -> Figures:
    """One open loop."""
    plan = Plan(url, OpenLoop(rate), seconds, WARM_UP_S, TIMEOUT_S)
    report, samples = run(plan, sent, np.random.default_rng(1))
    took = [s.latency_ms for s in samples if s.intended >= WARM_UP_S and s.reply.outcome == Outcome.OK]
    points = percentiles(took, 50, 99)
    in_time = sum(each <= DEADLINE_S * 1000 for each in took)
    outcomes = {name: number for name, number in report.outcomes.items() if number}
    return Figures(in_time / seconds, len(took) / seconds, points["p50"], points["p99"], outcomes)


def compare(peer: str, rate: float | None, seconds: float) -> dict[str, object]:
    """All about one peer; ``rate`` is hiseg's capacity, if it is known."""
    sent = requests(deadline_ms=int(DEADLINE_S * 1000))
    with serving(max_wait_ms=MAX_WAIT_MS) as ours:
        rate = rate or capacity(ours.url, sent)
        found = {"peer": peer, "capacity": rate, "seconds": seconds, "ways": {}, "loads": []}
        for way in WAYS:
            with peer_serving(peer, way, sent[0]) as url:
                found["ways"][way] = capacity(url, sent)
            print(f"{PEERS[peer]}: {describe(WAYS[way])}: {found['ways'][way]:.1f}/s", flush=True)
        found["way"] = max(found["ways"], key=lambda way: found["ways"][way])
        with peer_serving(peer, found["way"], sent[0]) as url:
            found["iou"] = least_iou(ours.url, url, sent[:20])
            print(f"{PEERS[peer]}: least IoU {found['iou']:.4f}; hiseg's capacity {rate:.1f}/s", flush=True)
            for share in SHARES:
                load = {"share": share}
                for name, where in (("hiseg", ours.url), (peer, url)):
                    load[name] = dataclasses.asdict(figures(where, sent, share * rate, seconds))
                    print(f"  {share:.0%} {name}: {load[name]}", flush=True)
                found["loads"].append(load)
    return found


def main() -> None:
    """The peers asked for."""
    parser = argparse.ArgumentParser(description="hiseg against other servers of the same model")
    parser.add_argument("--peer", action="append", choices=PEERS)
    parser.add_argument("--capacity", type=float, help="of hiseg, pictures a second, as measured before")
    parser.add_argument("--seconds", type=float, default=15, help="of each load")
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for peer in given.peer or PEERS:
        found = compare(peer, given.capacity, given.seconds)
        Path(RESULTS / f"{peer}.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
