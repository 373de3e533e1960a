"""Shared memory between this process and a server on the same machine: tensors that no connection has to carry.

A region is a file in /dev/shm that its owner holds a lock on for as long as it lives. Whoever finds one that nobody
holds a lock on may remove it: that works across containers too, where process numbers say nothing.
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

log = logging.getLogger("uvicorn.error")
SHARED_MEMORY = Path("/dev/shm")
PREFIX = "hiseg-io-"
LEAST_BYTES = 2 * 1024 * 1024
"""Regions are powers of two and at least this large, so that few are made and most fit again."""


class Region:
    """A file in shared memory, mapped into this process."""

    def __init__(self, name: str, size: int) -> None:
        """Make it.

        Raises:
            OSError: there is no shared memory here, or too little is left.
        """
        self.name = name
        self.size = size
        self._path = SHARED_MEMORY / name
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Really there, not only promised: a write to memory that isn't there would end the process.
            os.posix_fallocate(self._file, 0, size)
            self.bytes: Pixels = np.frombuffer(mmap.mmap(self._file, size), dtype=np.uint8)
        except OSError:
            self.remove()
            raise

    def remove(self) -> None:
        """Take its name away; the memory goes when the last who has it mapped lets go."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def new_region(token: str, size: int) -> Region:
    """A fresh one that holds at least ``size`` bytes.

    Raises:
        OSError: see :class:`Region`.
    """
    return Region(f"{PREFIX}{token}-{secrets.token_hex(4)}", max(LEAST_BYTES, 1 << (size - 1).bit_length()))


def is_leftover(name: str) -> bool:
    """A region of ours by its name, whose owner is dead."""
    if not name.startswith(PREFIX):
        return False
    try:
        file = os.open(SHARED_MEMORY / name, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # another user's
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def remove_leftovers() -> int:
    """Remove what dead processes left here; how many there were."""
    removed = 0
    for path in SHARED_MEMORY.glob(f"{PREFIX}*"):
        if is_leftover(path.name):
            path.unlink(missing_ok=True)
            removed += 1
    return removed
