"""Clocks. Deadlines go by the monotonic one and travel as time left, so a wrong wall clock makes no answer late; but
logs and traces of several machines can't be laid side by side, and certificates seem to have run out."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator

from hiseg.doctor.finding import Finding, ok, warning

TIME_ERROR = 5
"""What Linux's ``adjtimex`` answers where the clock isn't synchronised; see its manual page."""
MOST_STEP_MS = 50.0
MOST_OFFSET_MS = 1000.0
MEND = "Run an NTP client (chrony, systemd-timesyncd) on the machine; in a container the host's clock counts."


class Clock:
    """Watches this machine's wall clock from when it is made."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def findings(self) -> Iterator[Finding]:
        """What is to be said of it now."""
        step = abs((time.time() - self._wall) - (time.monotonic() - self._monotonic)) * 1000
        if step > MOST_STEP_MS:
            yield warning("clock", f"the wall clock moved by {step:.0f} ms while the doctor looked", MEND)
        elif synchronised() is False:
            yield warning("clock", "the kernel says that the wall clock isn't synchronised", MEND)
        else:
            yield ok("clock", "the wall clock runs evenly")


def synchronised() -> bool | None:
    """Whether the kernel holds the wall clock for synchronised; None where it doesn't say."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    # All zero: nothing is adjusted. The kernel's record has about 200 bytes.
    state = adjtimex(ctypes.create_string_buffer(1024))
    return None if state < 0 else state != TIME_ERROR


def offset(server: str, before: float, theirs: float, after: float) -> Finding:
    """A server's wall clock against ours.

    Args:
        server: its address.
        before: our time when it was asked, in seconds.
        theirs: its time of the answer, in seconds.
        after: our time when it had answered.
    """
    ahead = max(theirs - after, 0.0) + min(theirs - before, 0.0)
    if abs(ahead) * 1000 > MOST_OFFSET_MS:
        direction = "ahead of" if ahead > 0 else "behind"
        return warning("clock", f"{server}'s wall clock is {abs(ahead):.1f} s {direction} ours", MEND)
    return ok("clock", f"{server}'s wall clock agrees with ours within {max(after - before, 0.001) * 1000:.0f} ms")
