"""An event loop whose clock jumps from timer to timer: hours of schedule take milliseconds and are always the same.

It replaces the real clock in tests of scheduling.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Advances the clock where the real one would sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for nothing"
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time starts at 0. What should run in a thread is done at once, in no time.

    Args:
        decode_s: what work for the workers takes instead, one piece after the other; the default executor stays quick.
    """

    def __init__(self, decode_s: float = 0.0) -> None:
        self._virtual = _Selector()
        self._decode_s = decode_s
        self._workers_free = 0.0
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if not future.done():
                try:
                    future.set_result(func(*args))
                except Exception as error:
                    future.set_exception(error)

        if executor is None or not self._decode_s:
            work()
        else:
            self._workers_free = max(self._workers_free, self.time()) + self._decode_s
            self.call_at(self._workers_free, work)
        return future


def run(scenario: Callable[[VirtualLoop], Coroutine[Any, Any, T]], decode_s: float = 0.0) -> T:
    """Run a scenario in virtual time; it is given its loop, whose ``time`` is the clock."""
    loop = VirtualLoop(decode_s)
    try:
        return loop.run_until_complete(scenario(loop))
    finally:
        loop.close()
