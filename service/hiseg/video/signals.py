"""Ctrl-C and SIGTERM: the first one ends the reading, and what was read is still written; a later one ends it all."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AT_ONCE_S = 0.5
"""Signals within this time are one: `timeout` and some shells send it to the process and again to its group."""


class Stopped:
    """Which signal came, if any did, and when."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self.at = 0.0


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[Stopped]:
    """Call ``stop`` at the first signal within the block, and cancel this task at a later one."""
    loop, task, stopped = asyncio.get_running_loop(), asyncio.current_task(), Stopped()

    def handle(by: signal.Signals) -> None:
        if stopped.by is None:
            stopped.by, stopped.at = by, time.monotonic()
            stop()
        elif task is not None and time.monotonic() - stopped.at > AT_ONCE_S:
            task.cancel()

    # Some platforms have no such handlers; there Ctrl-C cancels at once.
    with suppress(NotImplementedError):
        for number in SIGNALS:
            loop.add_signal_handler(number, handle, number)
    try:
        yield stopped
    finally:
        with suppress(NotImplementedError):
            for number in SIGNALS:
                loop.remove_signal_handler(number)
