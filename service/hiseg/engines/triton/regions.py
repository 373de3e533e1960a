"""Shared memory between this process and a server on the same machine, so that tensors need no connection.

A region is a file in /dev/shm that its owner keeps locked while it lives. A process that finds an unlocked one may
remove it. Unlike process numbers, locks also work across containers.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import secrets
from pathlib import Path

import numpy as np

from hiseg.core.image import Pixels

log = logging.getLogger(__name__)
SHARED_MEMORY = Path("/dev/shm")
PREFIX = "hiseg-io-"
MIN_BYTES = 2 * 1024 * 1024
"""Smallest size of a region. Sizes are powers of two, so that few regions are created and most can be used again."""


class Region:
    """A file in shared memory, mapped into this process."""

    def __init__(self, name: str, size: int) -> None:
        """Create the file, lock it and map it.

        Args:
            name: name of the file.
            size: size in bytes.

        Raises:
            OSError: there is no shared memory here, or too little is left.
        """
        self.name = name
        self.size = size
        self._path = SHARED_MEMORY / name
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Allocates the memory now: a write to memory that was only promised would end the process.
            os.posix_fallocate(self._file, 0, size)
            self.bytes: Pixels = np.frombuffer(mmap.mmap(self._file, size), dtype=np.uint8)
        except OSError:
            self.destroy()
            raise

    def destroy(self) -> None:
        """Remove the file and close it; the memory is freed when no process has it mapped any more."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def create_region(token: str, size: int) -> Region:
    """Create a region of at least ``size`` bytes, whose name begins with ``token``.

    Raises:
        OSError: see :class:`Region`.
    """
    return Region(f"{PREFIX}{token}-{secrets.token_hex(4)}", max(MIN_BYTES, 1 << (size - 1).bit_length()))


def is_leftover(name: str) -> bool:
    """Whether this is the name of a region whose owner no longer lives."""
    if not name.startswith(PREFIX):
        return False
    try:
        file = os.open(SHARED_MEMORY / name, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # belongs to another user
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def remove_leftovers() -> int:
    """Remove the regions of processes that no longer live; return their number."""
    removed = 0
    for path in SHARED_MEMORY.glob(f"{PREFIX}*"):
        if is_leftover(path.name):
            path.unlink(missing_ok=True)
            removed += 1
    return removed
