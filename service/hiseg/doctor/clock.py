"""Are the clocks right? A wrong wall clock makes no answer late, since deadlines go by the monotonic clock and travel
as time left; but logs and traces of several machines can't be compared, and certificates seem to have expired."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator

from hiseg.doctor.finding import Finding, ok, warning

TIME_ERROR = 5
"""What Linux's ``adjtimex`` answers where the clock isn't synchronised; see its manual page."""
MAX_STEP_MS = 50.0
"""A wall clock that moves further than this against the monotonic one, while the doctor runs, was set."""
MAX_OFFSET_MS = 1000.0
"""Most by which a server's wall clock may differ from ours."""
MEND = "Run an NTP client (chrony, systemd-timesyncd) on the machine; in a container the host's clock counts."


class Clock:
    """Watches this machine's wall clock from the time that the object is made."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def findings(self) -> Iterator[Finding]:
        """Say whether the wall clock has been steady until now, and whether it is synchronised."""
        step = abs((time.time() - self._wall) - (time.monotonic() - self._monotonic)) * 1000
        if step > MAX_STEP_MS:
            yield warning("clock", f"the wall clock moved by {step:.0f} ms while the doctor looked", MEND)
        elif is_clock_synchronised() is False:
            yield warning("clock", "the kernel says that the wall clock isn't synchronised", MEND)
        else:
            yield ok("clock", "the wall clock runs evenly")


def is_clock_synchronised() -> bool | None:
    """Ask the kernel whether the wall clock is synchronised; None where it doesn't say."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    # All zero: nothing is adjusted. The kernel's record has about 200 bytes.
    state = adjtimex(ctypes.create_string_buffer(1024))
    return None if state < 0 else state != TIME_ERROR


def check_offset(server: str, before: float, theirs: float, after: float) -> Finding:
    """Compare a server's wall clock with ours.

    Args:
        server: the server's address.
        before: our clock before the server was asked, in seconds since 1970.
        theirs: the server's clock when it answered, in seconds since 1970.
        after: our clock after the answer, in seconds since 1970.
    """
    ahead = max(theirs - after, 0.0) + min(theirs - before, 0.0)
    if abs(ahead) * 1000 > MAX_OFFSET_MS:
        direction = "ahead of" if ahead > 0 else "behind"
        return warning("clock", f"{server}'s wall clock is {abs(ahead):.1f} s {direction} ours", MEND)
    return ok("clock", f"{server}'s wall clock agrees with ours within {max(after - before, 0.001) * 1000:.0f} ms")
