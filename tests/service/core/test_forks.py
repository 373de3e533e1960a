"""A fork waits for native work, and native work for a fork."""

from __future__ import annotations

import threading
import time

import pytest

from hiseg.core import forks
from hiseg.core.forks import native_work


def test_a_fork_waits_for_work_and_work_for_the_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = forks._Gate()
    monkeypatch.setattr(forks, "_gate", gate)
    began, may_end, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        with native_work():
            began.set()
            may_end.wait()
            done.append("work")

    def fork() -> None:
        gate.before_fork()
        done.append("fork")
        time.sleep(0.05)
        done.append("forked")
        gate.after_in_parent()

    def later() -> None:
        with native_work():
            done.append("later")

    threads = [threading.Thread(target=work)]
    threads[0].start()
    began.wait()
    for target in (fork, later):
        threads.append(threading.Thread(target=target))
        threads[-1].start()
        time.sleep(0.05)
    assert done == []
    may_end.set()
    for thread in threads:
        thread.join()
    assert done == ["work", "fork", "forked", "later"]


def test_a_fork_waits_no_longer_than_work_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "LONGEST_WAIT_S", 0.01)
    gate = forks._Gate()
    gate.enter()
    gate.before_fork()
    gate.after_in_parent()
    gate.leave()
    gate.enter()
