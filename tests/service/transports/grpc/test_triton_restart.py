"""A stream continues without losing a frame while the only Triton is killed and started again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from benchmarks.harness.paths import SAMPLE_BOXES
from benchmarks.harness.serving import SERVE, serving
from benchmarks.harness.triton.models import targets_of
from benchmarks.harness.triton.server import triton
from hiseg.client import Client, Dropped, Segmented

LEAST = 5
"""Results before the kill, drops while there is no server, and results afterwards."""
MOST_FRAMES = 2000


def test_a_stream_survives_a_restart_of_triton(photo: bytes) -> None:
    with triton() as behind, serving((*SERVE, "--engine", targets_of(behind))) as server:
        outcomes: list[object] = []
        killed, started = threading.Event(), threading.Event()

        def count(kind: type[object], since: int = 0) -> int:
            return sum(isinstance(outcome, kind) for outcome in outcomes[since:])

        def frames() -> Iterator[tuple[bytes, list[list[float]]]]:
            back_at = 0
            for _ in range(MOST_FRAMES):
                if not killed.is_set() and count(Segmented) >= LEAST:
                    behind.kill()
                    killed.set()
                elif killed.is_set() and not started.is_set() and count(Dropped) >= LEAST:
                    behind.start()
                    back_at = len(outcomes)
                    started.set()
                elif started.is_set() and count(Segmented, back_at) >= LEAST:
                    return
                yield photo, SAMPLE_BOXES
                time.sleep(0.02)

        with Client(server.grpc) as client:
            for outcome in client.stream(frames()):
                outcomes.append(outcome)
        assert started.is_set()
        assert [outcome.sequence for outcome in outcomes] == list(range(len(outcomes)))  # type: ignore[attr-defined]
        assert {type(outcome) for outcome in outcomes} == {Segmented, Dropped}
        assert {outcome.reason for outcome in outcomes if isinstance(outcome, Dropped)} == {"unavailable"}
        results = [outcome.result for outcome in outcomes if isinstance(outcome, Segmented)]
        assert {tuple(person.area for person in result.instances) for result in results} == {
            tuple(person.area for person in results[0].instances)
        }
        assert {result.model.engine for result in results} == {"triton"}
