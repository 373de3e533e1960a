"""A file of JSON lines that one process writes, and that is whole up to its last line whenever the process ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hiseg.core.command_errors import CommandError


class LineFile:
    """An open file; see :func:`open_lines`.

    Args:
        file: at its end.
        path: its path, for messages.
        lines: what is in it.
    """

    def __init__(self, file: IO[bytes], path: Path, lines: list[Any]) -> None:
        self._file = file
        self.path = path
        self.lines = lines

    def add(self, line: Any) -> None:
        """Write a line, which then outlives the process.

        Raises:
            CommandError: it can't be written.
        """
        try:
            self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
        except OSError as error:
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


def _open_locked(path: Path, busy: str) -> IO[bytes]:
    while True:
        try:
            file = path.open("r+b" if path.exists() else "x+b")
        except (FileExistsError, FileNotFoundError):
            if path.parent.is_dir():
                continue  # it was made or removed just now
            raise CommandError(f"{path} can't be written: there is no such folder") from None
        except OSError as error:
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


def _lock(file: IO[bytes], busy: str) -> None:
    """Keep other processes out until the file is closed, where the system can."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(busy) from error
        except OSError:
            return  # file systems without locks
