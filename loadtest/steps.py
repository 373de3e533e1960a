"""Adds users until the service can't keep up: ``python -m locust -f loadtest/steps.py --headless …``.

Each step adds users and is judged on its own once they have settled; two steps in a row that miss a mark end the test.
It prints the knee: the first step that missed a mark. The exit code is 0 if there was at least one good step.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from locust import LoadTestShape, events
from locust.env import Environment

from loadtest.marks import Marks, Seen, knee
from loadtest.users import Camera, Unary, Web, asked_per_s

__all__ = ["Camera", "Steps", "Unary", "Web"]
USERS = 6
"""That a step adds: three over HTTP, two over gRPC, one camera."""
STEP_S = 15.0
SETTLE_S = 5.0
STEPS = 16
ENOUGH = 2
MARKS = Marks()

answers: list[tuple[float, float, bool]] = []
"""When each request of this step ended, how many milliseconds it took, and whether it was good."""
done: list[tuple[int, Seen]] = []


@events.request.add_listener
def note(response_time: float, exception: Exception | None = None, **_: Any) -> None:
    """Locust's own figures can't be had by step."""
    answers.append((time.monotonic(), response_time, exception is None))


@events.quitting.add_listener
def tell(environment: Environment, **_: Any) -> None:
    """All steps, and the knee."""
    print("\n".join(f"{users} users: {seen}" for users, seen in done))
    print(knee(done, MARKS))
    environment.process_exit_code = 0 if any(not MARKS.misses(seen) for _, seen in done) else 1


class Steps(LoadTestShape):
    """Locust asks it every second how many users there should be."""

    def __init__(self) -> None:
        super().__init__()
        self._since = time.monotonic()

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many of them come each second; None ends the test."""
        now = time.monotonic()
        users = USERS * (len(done) + 1)
        if now - self._since >= STEP_S and self.runner is not None and self.runner.user_count:
            done.append((users, self._seen(now)))
            print(f"{users} users: {done[-1][1]}", flush=True)
            answers.clear()
            self._since = now
            late = [bool(MARKS.misses(seen)) for _, seen in done[-ENOUGH:]]
            if len(done) == STEPS or (len(late) == ENOUGH and all(late)):
                return None
            users += USERS
        return users, USERS

    def _seen(self, now: float) -> Seen:
        """What the settled part of the step showed."""
        assert self.runner is not None
        counted = [(took, good) for at, took, good in answers if at >= self._since + SETTLE_S]
        good = sum(good for _, good in counted)
        return Seen(
            asked_per_s(self.runner.user_classes_count),
            good / (now - self._since - SETTLE_S),
            1 - good / max(1, len(counted)),
            float(np.percentile([took for took, _ in counted], 95)) if counted else float("inf"),
        )
