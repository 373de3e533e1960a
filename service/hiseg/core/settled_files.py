"""Files that others may rewrite while the service runs, read again only when whoever writes them seems to be done.

A file that is written line by line, truncated first, or replaced is for a while something that nobody meant. So a
change counts once the file has been left alone for a moment.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SETTLED_S = 1.5
"""Seconds that a file must have been left alone before a change of it counts."""
LOOK_INTERVAL_S = 0.5
"""Seconds between two looks at a file. A change counts after :data:`SETTLED_S` and this at most."""
MAX_FILE_BYTES = 1024 * 1024
"""Largest file that is read: certificates and thousands of keys have less."""
Stamp = tuple[int | str, ...]


class SettledFiles:
    """Files that belong together, such as a certificate and its key; a change of one is a change of all.

    Args:
        paths: of the files.
        clock: the time in seconds, monotonic.
    """

    def __init__(self, paths: Sequence[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = paths
        self._clock = clock
        self._known = self._seen = self._stamps()
        """Stamps of what was read last, and of the last look."""
        self._seen_at = clock()

    def read(self) -> list[bytes]:
        """Return what the files contain now.

        Raises:
            OSError: one can't be read, is no regular file, or has more than :data:`MAX_FILE_BYTES`.
        """
        return [read_bounded(path) for path in self._paths]

    def read_change(self) -> list[bytes] | None:
        """Look at the files; return what they contain, once for each change that has settled, else None.

        Raises:
            OSError: a change has settled, and a file can't be read. The next look tries again.
        """
        now, stamps = self._clock(), self._stamps()
        if stamps != self._seen:
            self._seen, self._seen_at = stamps, now
        if stamps == self._known or now - self._seen_at < SETTLED_S:
            return None
        contents = self.read()
        if self._stamps() != stamps:
            return None  # changed meanwhile: the next looks see it
        self._known = stamps
        return contents

    def _stamps(self) -> list[Stamp]:
        return [_stamp(path) for path in self._paths]


def read_bounded(path: Path) -> bytes:
    """Return what a file contains.

    Raises:
        OSError: it can't be read, is no regular file, or has more than :data:`MAX_FILE_BYTES`.
    """
    # Without blocking: a pipe that nobody writes to would be waited for, for ever.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no regular file")
        contents = file.read(MAX_FILE_BYTES + 1)
    if len(contents) > MAX_FILE_BYTES:
        raise OSError(f"it has more than {MAX_FILE_BYTES} bytes")
    return contents


def _stamp(path: Path) -> Stamp:
    """Return what differs when a file has changed; a file that isn't there has a stamp too."""
    try:
        status = path.stat()
    except OSError as error:
        return (str(error.errno),)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
