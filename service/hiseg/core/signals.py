"""Ctrl-C and SIGTERM: the first one lets a command end in order, which each does in its way; a later one cancels it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME_SIGNAL_S = 0.5
"""Signals within so many seconds are one: `timeout` and some shells send it to the process and again to its group."""


class ReceivedSignal:
    """The first signal that came.

    Attributes:
        signal: which one; None while there is none.
        at: when it came, on :func:`time.monotonic`'s clock.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.at = 0.0


@contextmanager
def stop_on_signal(stop: Callable[[], None]) -> Iterator[ReceivedSignal]:
    """Call ``stop`` at the first signal within the block, and cancel this task at a later one."""
    loop, task, received = asyncio.get_running_loop(), asyncio.current_task(), ReceivedSignal()

    def handle(number: signal.Signals) -> None:
        if received.signal is None:
            received.signal, received.at = number, time.monotonic()
            stop()
        elif task is not None and time.monotonic() - received.at > SAME_SIGNAL_S:
            task.cancel()

    # Some platforms have no such handlers; there Ctrl-C cancels at once.
    with suppress(NotImplementedError):
        for number in SIGNALS:
            loop.add_signal_handler(number, handle, number)
    try:
        yield received
    finally:
        with suppress(NotImplementedError):
            for number in SIGNALS:
                loop.remove_signal_handler(number)
