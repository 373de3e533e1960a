"""Processes that are forked from one that runs models, by ``multiprocessing`` or a web server: they must not hang.

A child has the memory of its parent and one of its threads. A lock that another thread held at that moment is held for
good there; those in native code, such as that of ONNX Runtime's allocator, can't be renewed. So a fork waits until no
native work runs. And what has native threads must not be freed in a child, since that waits for threads that aren't
there.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

LONGEST_WAIT_S = 5.0
"""Seconds after which a fork doesn't wait any longer for work, which it then may cut through."""


class _Gate:
    """Lets native work begin unless a fork waits or is being made."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._works = self._forks = 0

    def enter(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._forks)
            self._works += 1

    def leave(self) -> None:
        with self._changed:
            self._works -= 1
            if self._forks:
                self._changed.notify_all()

    def before_fork(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._works, LONGEST_WAIT_S)

    def after_in_parent(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()


_gate = _Gate()
_kept: WeakSet[Any] = WeakSet()


@contextmanager
def native_work() -> Iterator[None]:
    """Keep the process from being forked within the block; before it, wait for a fork that is being made."""
    gate = _gate
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


def keep_in_children(native: Any) -> None:
    """Let no process that is forked from this one free an object."""
    _kept.add(native)


def _after_in_child() -> None:
    global _gate
    _gate = _Gate()
    for native in _kept:
        # One reference that nobody ever gives back; a list would be emptied when the interpreter ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))


os.register_at_fork(
    before=lambda: _gate.before_fork(),
    after_in_parent=lambda: _gate.after_in_parent(),
    after_in_child=_after_in_child,
)
