"""How the process keeps freed memory for the next request, and gives it back to the system after large ones."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image

MEBI = 1024 * 1024
KEPT_BLOCK_BYTES = 16 * MEBI
"""Size of a block up to which glibc keeps freed memory for the next one."""
IMAGE_BLOCK_BYTES = 64 * MEBI
"""Size of the blocks that Pillow puts a large image together of.

glibc has blocks of more than 32 MiB from the system, each by itself, and gives them back when they are freed. Of
Pillow's own 16 MiB it kept up to 250 MiB after an image of 49 megapixels, in each thread that had decoded one.
"""
CHECK_SECONDS = 5.0
"""Seconds between two looks at the memory of the process."""
MIN_GAIN_BYTES = 48 * MEBI
"""Bytes above the lowest use since memory was last given back, from which on it is given back again."""
MAX_BUSY_BYTES = 32 * MEBI
"""While requests hold more, memory is not given back: they would only take it again."""
STATM = Path("/proc/self/statm")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def keep_freed_memory() -> None:
    """Make glibc keep the memory of freed images for the next ones.

    Otherwise it returns it to the kernel after each small image, and waits for it page by page at the next. glibc keeps
    up to twice the size of the largest block that was ever freed, so one large block is freed here, which costs
    nothing.
    """
    np.empty(KEPT_BLOCK_BYTES, dtype=np.uint8)


def return_large_images() -> None:
    """Make Pillow take large images in blocks that go back to the system as soon as an image is freed."""
    PIL.Image.core.set_block_size(IMAGE_BLOCK_BYTES)  # type: ignore[attr-defined]


def resident_bytes() -> int:
    """Bytes of physical memory that the process has; 0 where the system doesn't say."""
    try:
        return int(STATM.read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def return_freed_memory() -> None:
    """Give freed memory back to the system, in tens of milliseconds; without effect where there is no glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def return_memory_when_idle(held_bytes: Callable[[], int]) -> None:
    """Give memory back, in a thread, whenever much has been freed and little is held; runs until it is cancelled.

    Args:
        held_bytes: returns the bytes that requests hold now.
    """
    lowest, was_busy = resident_bytes(), False
    while lowest:
        await asyncio.sleep(CHECK_SECONDS)
        now, held = resident_bytes(), held_bytes()
        # What was held the last time may have kept much more from being given back.
        if (now - lowest > MIN_GAIN_BYTES and held <= MAX_BUSY_BYTES) or (was_busy and not held):
            was_busy = held > 0
            await asyncio.to_thread(return_freed_memory)
            # What remains is in use, or can't be given back: it isn't tried again for that.
            lowest = resident_bytes()
        lowest = min(lowest, now)
