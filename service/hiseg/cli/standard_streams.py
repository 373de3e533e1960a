"""Standard input and output in place of files: photos, pictures, answers and COCO files."""

from __future__ import annotations

import sys
from typing import IO

from hiseg.core.command_errors import CommandError

STANDARD_STREAM = "-"
"""What stands on a command line for standard input or output."""


def read_in(example: str) -> bytes:
    """Read all of standard input.

    Args:
        example: a command that has something there, for the message.

    Raises:
        CommandError: it is a terminal, closed, or can't be read.
    """
    if sys.stdin is None or sys.stdin.isatty():
        found = "closed" if sys.stdin is None else "a terminal"
        raise CommandError(f"- reads from standard input, which is {found}: {example}")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise CommandError(f"standard input can't be read: {error.strerror}") from error


def standard_output() -> IO[bytes]:
    """Return standard output, for bytes.

    Raises:
        CommandError: it was closed before the command began.
    """
    if sys.stdout is None:
        raise CommandError("standard output is closed")
    return sys.stdout.buffer


def write_out(data: bytes) -> None:
    """Write to standard output.

    Raises:
        CommandError: it can't be written.
        BrokenPipeError: nobody reads it any more.
    """
    output = standard_output()
    try:
        output.write(data)
        output.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"standard output can't be written: {error.strerror}") from error
