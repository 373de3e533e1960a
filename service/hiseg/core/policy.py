"""The policies for video frames that come faster than they are segmented: of gRPC streams and of ``hiseg video``."""

from __future__ import annotations

from enum import StrEnum


class Policy(StrEnum):
    """What becomes of a frame that arrives while those before it are being worked on."""

    WAIT = "wait"
    """It waits, and the sender waits with it: no frame is dropped. For files."""
    DROP_OLDEST = "drop_oldest"
    """It waits in a short queue, whose oldest frame is dropped when it is full."""
    LATEST_ONLY = "latest_only"
    """It waits in a queue of one frame, and is dropped when the next one comes. For cameras."""
