"""What becomes of frames that come faster than they can be segmented: in streams, the client and ``hiseg video``."""

from __future__ import annotations

from enum import StrEnum


class Policy(StrEnum):
    """What becomes of a frame that arrives while those before it are being worked on."""

    WAIT = "wait"
    """It waits, and so does the sender. For files."""
    DROP_OLDEST = "drop_oldest"
    """It waits in a short queue, from which the oldest is dropped when it is full."""
    LATEST_ONLY = "latest_only"
    """It waits alone, and is dropped when the next one comes. For cameras."""
