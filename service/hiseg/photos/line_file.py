"""A file of JSON lines that one process writes, and that is whole up to its last line whenever the process ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from hiseg.core.command_errors import CommandError

TRIES = 100
"""How often a file is opened at most that others make and remove at the same time."""


class LineFile:
    """An open file; see :func:`open_lines`.

    Args:
        file: at its end; unbuffered, so that what a full disk didn't take isn't written again when it is closed.
        path: its path, for messages.
        lines: what is in it.
    """

    def __init__(self, file: FileIO, path: Path, lines: list[Any]) -> None:
        self._file = file
        self.path = path
        self.lines = lines

    def add(self, line: Any) -> None:
        """Write a line, which then outlives the process; all of it or none.

        Raises:
            CommandError: it can't be written.
        """
        rest, end = json.dumps(line, separators=(",", ":")).encode() + b"\n", self._file.tell()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.seek(end)
            self._file.truncate()
            raise CommandError(f"{self.path} can't be written: {error.strerror}") from error

    def clear(self) -> None:
        """Take all lines out."""
        self._file.seek(0)
        self._file.truncate()
        self.lines = []


@contextmanager
def open_lines(path: Path, busy: str) -> Iterator[LineFile]:
    """Open a file, or make an empty one, until the end of the block; a last line that was torn is cut off.

    Args:
        path: of the file.
        busy: what to say if another process has it open.

    Raises:
        CommandError: another process has it, it isn't a file of JSON lines, or it can't be read and written.
    """
    file = _open_locked(path, busy)
    with file:
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise CommandError(f"{path} isn't as hiseg writes it; move it away") from error
        file.seek(len(whole))
        file.truncate()
        yield LineFile(file, path, lines)


def _open_locked(path: Path, busy: str) -> FileIO:
    for tries_left in reversed(range(TRIES)):
        try:
            file = path.open("r+b" if path.exists() else "x+b", buffering=0)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
                raise CommandError(f"{path} can't be written: there is no such folder") from None
            if isinstance(error, FileExistsError | FileNotFoundError) and tries_left:
                continue  # it was made or removed just now, or is a link to nowhere
            raise CommandError(f"{path} can't be written: {error.strerror}") from error
        try:
            _lock(file, busy)
            # Whoever had it may have removed it while we opened it.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        except BaseException:
            file.close()
            raise
        file.close()
    raise CommandError(busy)


def _lock(file: FileIO, busy: str) -> None:
    """Keep other processes out until the file is closed, where the system can."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(busy) from error
        except OSError:
            return  # file systems without locks
