"""Attacks on the end of the service: whoever hangs on must not keep it from ending after SIGTERM."""

from __future__ import annotations

import threading

from benchmarks.hostile import calls, connections, images
from benchmarks.hostile.kind import Attack, Facts, Kind, Target
from benchmarks.hostile.wire import open_many, post, sleep_until


def hanging_on(target: Target) -> Attack:
    """Half messages, silent streams, watchers, unread answers, slow bodies and headers, all at once."""
    attacks = [
        prepare(target)
        for prepare in (
            calls.half_messages,
            calls.idle_streams,
            calls.watchers,
            connections.unread_answers,
            connections.slow_bodies,
            connections.slow_headers,
        )
    ]

    def attack(until: float) -> Facts:
        threads = [threading.Thread(target=each, args=(until,), daemon=True) for each in attacks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {}

    return attack


def slow_threads(target: Target) -> Attack:
    """Images whose decoding takes minutes, if it is let, occupy the threads."""
    image = images.many_scans(8000, 6000, 30_000)

    def attack(until: float) -> Facts:
        path = "/v1/segment?boxes=1,1,7,7&deadline_ms=1000"
        for _ in range(4):
            threading.Thread(target=post, args=(target, path, image, "image/jpeg"), daemon=True).start()
        open_many(target.http, 50, b"", until)
        sleep_until(until)
        return {}

    return attack


KINDS = (
    Kind(
        "stop-hanging-on",
        "SIGTERM while half messages, silent streams, unread answers and slow bodies hang on",
        hanging_on,
        terminated=True,
    ),
    Kind(
        "stop-busy-threads",
        "SIGTERM while images of 30,000 scans are being decoded",
        slow_threads,
        terminated=True,
        seconds=4,
    ),
)
