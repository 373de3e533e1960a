"""What an attack is: a name, a sentence, how it is prepared, and how it goes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Facts: TypeAlias = dict[str, str | int | float]
"""What an attacker tells of its attack. ``broken`` is a promise that the service didn't keep."""
Attack: TypeAlias = Callable[[float], Facts]
"""Goes on until a time of ``time.monotonic``, or shorter; what it has opened stays open."""


@dataclass(frozen=True, slots=True)
class Target:
    """The service under attack.

    Attributes:
        http: its port.
        grpc: its port.
        folder: the service's working folder, with its certificate and its file of keys where it has them.
        key: the attacker's API key; empty if the service needs none.
        good_key: that of the well-behaved caller.
        tls: whether both ports want TLS.
    """

    http: int
    grpc: int
    folder: Path
    key: str = ""
    good_key: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of attack.

    Attributes:
        name: as the command line names it.
        text: what the attacker does, for the table.
        prepare: builds what is to be sent, and returns the attack.
        keys: whether the service wants API keys.
        tls: whether the service wants TLS.
        terminated: the service is sent SIGTERM at the end of the attack, and must end in time.
        seconds: how long it goes on if the command line doesn't say.
    """

    name: str
    text: str
    prepare: Callable[[Target], Attack]
    keys: bool = False
    tls: bool = False
    terminated: bool = False
    seconds: float = 6.0


def repeat(once: Callable[[], str], callers: int, pause: float = 0.2) -> Attack:
    """An attack of several callers, each of which does something over and over.

    Args:
        once: does it, and returns what came of it in a word, such as the status.
        callers: how many at once, a thread each.
        pause: seconds between an answer and the caller's next request: an attack is to be cheap for the attacker.
    """

    def attack(until: float) -> Facts:
        outcomes: Counter[str] = Counter()

        def caller() -> None:
            while time.monotonic() < until:
                outcomes[once()] += 1
                time.sleep(pause)

        threads = [threading.Thread(target=caller, daemon=True) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return dict(outcomes)

    return attack
