"""What keeps the service from starting, in two sentences: what is the case, and what to do about it.

The doctor prints them apart, and a service that can't start prints both in its last line.
"""

from __future__ import annotations


class StartError(Exception):
    """The service can't start.

    Args:
        found: what is the case, in one sentence without its full stop.
        mend: what to do about it, in one sentence.
    """

    def __init__(self, found: str, mend: str) -> None:
        super().__init__(f"{found}. {mend}")
        self.found = found
        self.mend = mend
