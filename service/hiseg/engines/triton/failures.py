"""What a failed call to Triton says about the server, and about the batch."""

from __future__ import annotations

from enum import StrEnum

from tritonclient.utils import InferenceServerException


class FailureKind(StrEnum):
    """Why a call to a server failed."""

    UNAVAILABLE = "unavailable"
    """The server is down or shutting down, or no longer has this version; another server may run the batch."""
    UNHEALTHY = "unhealthy"
    """The server answers, but its process that runs the model is dead."""
    UNRESPONSIVE = "unresponsive"
    """The server doesn't answer; the call was cancelled."""
    QUEUE_FULL = "queue_full"
    """The server's own queue for the model is full."""
    TIMED_OUT = "timed_out"
    """The deadline of the batch passed first."""
    MODEL_ERROR = "model_error"
    """The model failed on this batch, for a reason that isn't known."""


class CallFailed(Exception):
    """A call to a server failed.

    Attributes:
        kind: why.
        suspect: the server had the batch when it went down, so the batch may have been the reason.
    """

    def __init__(self, kind: FailureKind, text: str, suspect: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.suspect = suspect


QUEUE_FULL_TEXTS = ("maximum queue size", "timeout expired")
"""Triton's status is UNAVAILABLE for these as well."""
RESET_TEXTS = ("RST_STREAM", "GOAWAY", "Socket closed", "Connection reset")
UNHEALTHY_TEXTS = ("not healthy", "Stub process", "CUDA error", "CUDA failure")
UNREGISTERED_TEXTS = ("Unable to find shared memory region",)
"""The server was restarted, or somebody unregistered all of its shared memory."""
NOT_SENT_TEXTS = ("failed to connect", "Connection refused", "not at ready state", "unknown model")


def classify(error: InferenceServerException) -> CallFailed:
    """What an error of Triton's client means, by its status and its text."""
    text, status = str(error.message() or ""), str(error.status() or "").removeprefix("StatusCode.")

    def has_any(parts: tuple[str, ...]) -> bool:
        return any(part in text for part in parts)

    message = f"{status}: {text}"
    if status == "DEADLINE_EXCEEDED":
        return CallFailed(FailureKind.TIMED_OUT, message)
    if status == "RESOURCE_EXHAUSTED" or (status == "UNAVAILABLE" and has_any(QUEUE_FULL_TEXTS)):
        return CallFailed(FailureKind.QUEUE_FULL, message)
    if status == "NOT_FOUND" or has_any(UNREGISTERED_TEXTS):
        return CallFailed(FailureKind.UNAVAILABLE, message)
    if status in ("UNAVAILABLE", "CANCELLED") or has_any(RESET_TEXTS):
        return CallFailed(FailureKind.UNAVAILABLE, message, suspect=not has_any(NOT_SENT_TEXTS))
    if has_any(UNHEALTHY_TEXTS):
        return CallFailed(FailureKind.UNHEALTHY, message, suspect=True)
    return CallFailed(FailureKind.MODEL_ERROR, message)
