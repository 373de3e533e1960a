"""What a failed call says about the server, and about the batch."""

from __future__ import annotations

from enum import StrEnum

from tritonclient.utils import InferenceServerException


class Kind(StrEnum):
    """What went wrong."""

    AWAY = "away"
    """The server is gone, or going, or has this version no more: others may do it."""
    SICK = "sick"
    """It answers, but what runs the model there is dead."""
    SILENT = "silent"
    """It doesn't answer; the call was given up."""
    BUSY = "busy"
    """Its queue is full, by a policy of its own."""
    LATE = "late"
    """The deadline passed first."""
    FAULT = "fault"
    """This batch, on this model, fails; who knows why."""


class CallFailed(Exception):
    """A call to a server failed.

    Attributes:
        kind: in which way.
        hurt: the batch was with the server when that went down, and may have been the reason.
    """

    def __init__(self, kind: Kind, text: str, hurt: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.hurt = hurt


BUSY_WORDS = ("maximum queue size", "timeout expired")
"""Triton says UNAVAILABLE for these as well."""
RESET_WORDS = ("RST_STREAM", "GOAWAY", "Socket closed", "Connection reset")
SICK_WORDS = ("not healthy", "Stub process", "CUDA error", "CUDA failure")
UNREGISTERED_WORDS = ("Unable to find shared memory region",)
"""The server was started anew, or somebody took all regions from it."""
UNSENT_WORDS = ("failed to connect", "Connection refused", "not at ready state", "unknown model")


def call_failed(error: InferenceServerException) -> CallFailed:
    """What an error of the client means."""
    text, status = str(error.message() or ""), str(error.status() or "").removeprefix("StatusCode.")

    def says(words: tuple[str, ...]) -> bool:
        return any(word in text for word in words)

    failure = f"{status}: {text}"
    if status == "DEADLINE_EXCEEDED":
        return CallFailed(Kind.LATE, failure)
    if status == "RESOURCE_EXHAUSTED" or (status == "UNAVAILABLE" and says(BUSY_WORDS)):
        return CallFailed(Kind.BUSY, failure)
    if status == "NOT_FOUND" or says(UNREGISTERED_WORDS):
        return CallFailed(Kind.AWAY, failure)
    if status in ("UNAVAILABLE", "CANCELLED") or says(RESET_WORDS):
        return CallFailed(Kind.AWAY, failure, hurt=not says(UNSENT_WORDS))
    if says(SICK_WORDS):
        return CallFailed(Kind.SICK, failure, hurt=True)
    return CallFailed(Kind.FAULT, failure)
