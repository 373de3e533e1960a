"""Writes files that are there as a whole, or as they were before, whenever the process ends."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, through another one beside it that takes its name when all is written.

    The other file is called the same each time, so a process that was killed leaves nothing behind for good: whoever
    writes the file again uses it up.

    Raises:
        OSError: it can't be written.
    """
    digest = blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
    partial = path.with_name(f".hiseg-{digest}.part")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
