"""What becomes of a request that ends with an exception: what it is counted as, and how a bug is logged."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from hiseg.batching.batcher import TIMER_SLACK_S
from hiseg.batching.latest import Superseded
from hiseg.core.errors import DeadlineExceeded, HisegError, InternalError
from hiseg.observability.metrics import BUG, GONE

SUPERSEDED = "superseded"
"""Outcome of a frame that was dropped because a newer one of the same stream took its place."""
log = logging.getLogger("hiseg.exchange")


class ClientDisconnected(Exception):
    """The caller hung up, so there is nobody to answer. Transports raise it, whatever their library calls it."""


def failure_of(error: BaseException | None, deadline: float | None = None) -> HisegError | str | None:
    """Decide how the metrics count a request, by the exception that it ended with.

    Args:
        error: the exception; None: the request was answered.
        deadline: deadline of the request, on :func:`time.monotonic`'s clock.

    Returns:
        The error itself if callers may see it, else the outcome in one word; None: it was answered.
    """
    match error:
        case InternalError():
            return BUG
        case None | HisegError():
            return error
        case Superseded():
            return SUPERSEDED
        case asyncio.CancelledError() if deadline is not None and time.monotonic() > deadline - TIMER_SLACK_S:
            return DeadlineExceeded("cancelled at the deadline")
        case Exception() if not isinstance(error, ClientDisconnected):
            return BUG
    return GONE


def log_bug(error: Exception) -> InternalError:
    """Log an unexpected exception under a new id, and return the error that names it."""
    number = uuid.uuid4().hex
    log.error("internal error %s", number, exc_info=error)
    return InternalError(number)
