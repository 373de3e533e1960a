"""The pass marks of a load test, as pure functions that don't depend on locust."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a time under load.

    Attributes:
        asked: requests a second that the users meant to send.
        good: that were answered well, a second.
        failures: share of the requests that failed; refusals are failures.
        p95_ms: of all of them.
    """

    asked: float
    good: float
    failures: float
    p95_ms: float

    def __str__(self) -> str:
        return (
            f"asked {self.asked:.1f}/s, good {self.good:.1f}/s, failures {self.failures:.2%}, p95 {self.p95_ms:.0f} ms"
        )


@dataclass(frozen=True, slots=True)
class Marks:
    """What is still good enough.

    Attributes:
        failures: largest share that may fail.
        p95_ms: latest that it may be.
        throughput: least share of what was asked for that must be answered well.
    """

    failures: float = 0.01
    p95_ms: float = 1000
    throughput: float = 0.9

    def misses(self, seen: Seen) -> list[str]:
        """What isn't good enough, one sentence each."""
        found = []
        if seen.failures > self.failures:
            found.append(f"{seen.failures:.2%} failed; at most {self.failures:.2%} may")
        if seen.p95_ms > self.p95_ms:
            found.append(f"p95 is {seen.p95_ms:.0f} ms; at most {self.p95_ms:.0f} ms is allowed")
        if seen.good < self.throughput * seen.asked:
            found.append(
                f"{seen.good:.1f} good answers a second of {seen.asked:.1f} asked; {self.throughput:.0%} must be good"
            )
        return found


def knee(steps: list[tuple[int, Seen]], marks: Marks) -> str:
    """Where the steps begin to miss the marks, in words; each is a number of users and what was seen with them."""
    held: tuple[int, Seen] | None = None
    for users, seen in steps:
        if missed := marks.misses(seen):
            before = f"the last good step is {held[0]} users ({held[1]})" if held else "no step was good"
            return f"knee at {users} users: {'; '.join(missed)}; {before}"
        held = users, seen
    if held is None:
        return "no step was finished"
    return f"no knee up to {held[0]} users ({held[1]})"
