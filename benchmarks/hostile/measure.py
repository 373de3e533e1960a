"""Runs one attack beside a well-behaved caller, and says what the caller noticed and what was left of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.hostile import prober, service
from benchmarks.hostile.kind import Facts, Kind, Target
from benchmarks.hostile.kinds import KINDS
from benchmarks.hostile.prober import GOOD, HEALTH, Sample
from benchmarks.hostile.service import Service

UNDISTURBED_S = 2.5
WARM_UP_S = 1.0
GRACE_S = 45.0
"""Seconds after its time within which an attacker must have got its last answers."""
NICE = 10
"""The attacker's priority: on two cores its own work must not be what is measured."""
SPARE_MIB = 100.0
"""Memory above idle that may be left."""
ENDS_S = 60.0
"""Seconds after SIGTERM after which the service is ended by force."""
_processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Waits:
    """How long answers took, in milliseconds.

    Attributes:
        median: of all.
        worst: of all.
        worst_loop: most CPU time of the service's event loop during one of them.
        count: of answers.
        failed: number of answers by status, for those that aren't good.
    """

    median: float
    worst: float
    worst_loop: float
    count: int
    failed: dict[str, int]


@dataclass
class Outcome:
    """What one attack did.

    Attributes:
        kind: its name.
        health_before, answers_before: waits without the attack.
        health, answers: waits while it went on.
        idle_mib: resident memory before it.
        peak_mib: highest during it.
        left_mib: resident memory afterwards.
        settled_s: seconds after the attack until memory, connections and figures were back; None: they weren't.
        sockets_left: connections afterwards, beyond those before.
        figures_left: those gauges that weren't 0 afterwards.
        cpu_s: CPU seconds of the service during the attack.
        seconds: length of the attack.
        tracebacks: last lines of those in the service's log, with their numbers.
        ended_s: seconds from SIGTERM to the end, for the kinds that are about it; None: it didn't end.
        facts: what the attacker told.
    """

    kind: str
    health_before: Waits
    answers_before: Waits
    health: Waits
    answers: Waits
    idle_mib: float
    peak_mib: float
    left_mib: float = 0.0
    settled_s: float | None = None
    sockets_left: int = 0
    figures_left: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    seconds: float = 0.0
    tracebacks: dict[str, int] = field(default_factory=dict)
    ended_s: float | None = None
    facts: Facts = field(default_factory=dict)


def run_attack(name: str, target: Target, seconds: float, pipe: Connection) -> None:
    """Be the attacker: prepare, wait for a word, attack, tell what came of it, and keep everything open.

    Args:
        name: of the kind.
        target: the service.
        seconds: how long.
        pipe: the other end is the measurement's.
    """
    os.nice(NICE)
    attack = KINDS[name].prepare(target)
    pipe.send("prepared")
    pipe.recv()
    pipe.send(attack(time.monotonic() + seconds))
    while True:
        time.sleep(60)


@dataclass
class Trial:
    """A service after an attack, and its attacker, who has gone silent."""

    kind: Kind
    service: Service
    attacker: BaseProcess
    sockets: int
    outcome: Outcome

    def watch(self, seconds: float) -> Outcome:
        """See what is left, and end both.

        Args:
            seconds: how long the service has to get back to what it was.
        """
        try:
            if self.kind.terminated:
                self._terminate()
            else:
                self._wait_until_settled(seconds)
            self.outcome.tracebacks = self.service.tracebacks()
        finally:
            self.attacker.kill()
            self.service.stop()
        return self.outcome

    def _terminate(self) -> None:
        begun = time.monotonic()
        self.service.process.send_signal(signal.SIGTERM)
        try:
            self.service.process.wait(ENDS_S)
            self.outcome.ended_s = time.monotonic() - begun
        except subprocess.TimeoutExpired:
            pass

    def _wait_until_settled(self, seconds: float) -> None:
        begun, outcome = time.monotonic(), self.outcome
        while self.service.process.poll() is None:
            try:
                outcome.figures_left = {name: value for name, value in self.service.figures().items() if value}
            except OSError as error:
                outcome.figures_left = {type(error).__name__: 1}
            time.sleep(1)
            outcome.left_mib = self.service.resident_mib()
            outcome.sockets_left = self.service.sockets() - self.sockets
            took = time.monotonic() - begun
            if (
                outcome.left_mib <= outcome.idle_mib + SPARE_MIB
                and outcome.sockets_left <= 0
                and not outcome.figures_left
            ):
                outcome.settled_s = took
                return
            if took > seconds:
                return


def measure(kind: Kind, source: Path, seconds: float | None) -> Trial:
    """Start a service, attack it, and return it with what was seen; :meth:`Trial.watch` then must be called.

    Args:
        kind: the attack.
        source: folder that the service is imported from.
        seconds: length of the attack; None: the kind's own.
    """
    started = service.start(kind, source)
    length = kind.seconds if seconds is None else seconds
    to_prober, from_prober = _processes.Pipe()
    to_attacker, from_attacker = _processes.Pipe()
    pid = started.process.pid
    attacker = _processes.Process(
        target=run_attack, args=(kind.name, started.target, length, from_attacker), daemon=True
    )
    asking = _processes.Process(target=prober.probe, args=(started.target, pid, from_prober), daemon=True)
    attacker.start()
    asking.start()
    try:
        started.wait_until_ready()
        to_attacker.recv()
        sockets = started.sockets()
        to_prober.send("start")
        time.sleep(WARM_UP_S + UNDISTURBED_S)
        idle, used = started.resident_mib(), started.cpu_s()
        started.forget_peak()
        attacked_at = time.monotonic()
        to_attacker.send("go")
        facts: Facts = to_attacker.recv() if to_attacker.poll(length + GRACE_S) else {"unanswered": 1}
        if attacker.pid is not None and attacker.is_alive():
            os.kill(attacker.pid, signal.SIGSTOP)
        took = time.monotonic() - attacked_at
        to_prober.send("stop")
        samples: list[Sample] = to_prober.recv()
        dead = started.process.poll() is not None
        outcome = Outcome(
            kind.name,
            *_split(samples, attacked_at),
            idle,
            0.0 if dead else started.peak_mib(),
            cpu_s=0.0 if dead else started.cpu_s() - used,
            seconds=took,
            facts=facts | ({"broken": "the service died"} if dead else {}),
        )
    except BaseException:
        attacker.kill()
        started.stop()
        raise
    finally:
        asking.kill()
    return Trial(kind, started, attacker, sockets, outcome)


def _split(samples: Sequence[Sample], attacked_at: float) -> tuple[Waits, Waits, Waits, Waits]:
    """Waits for ``/healthz`` and for masks before the attack, then both during it."""
    first = min(sample.begun for sample in samples) + WARM_UP_S
    before = [s for s in samples if first < s.begun and s.begun + s.seconds < attacked_at]
    during = [s for s in samples if s.begun + s.seconds >= attacked_at]
    return (
        waits([s for s in before if s.probe == HEALTH]),
        waits([s for s in before if s.probe != HEALTH]),
        waits([s for s in during if s.probe == HEALTH]),
        waits([s for s in during if s.probe != HEALTH]),
    )


def waits(samples: Sequence[Sample]) -> Waits:
    """What a caller noticed, of the requests of one sort."""
    if not samples:
        return Waits(0.0, 0.0, 0.0, 0, {"none": 1})
    times = [sample.seconds * 1000 for sample in samples]
    failed = Counter(f"{s.probe} {s.outcome}" for s in samples if s.outcome not in GOOD)
    loop = max(sample.loop_s for sample in samples) * 1000
    return Waits(round(statistics.median(times), 1), round(max(times), 1), round(loop, 1), len(times), dict(failed))
