"""What the parts of the service report to the metrics: plain values, so that no part needs to know Prometheus.

The metrics depend on these values alone. They import neither the segmenter nor the batchers nor an engine: whoever puts
the service together hands them functions that return a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

DropReason = Literal["gone", "deadline", "superseded"]
"""Why a job left the queue before it reached the engine: its caller hung up, its deadline passed, or a newer frame of
the same camera was ready to take its place."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that has run.

    Attributes:
        images: number of images in the batch.
        rois: number of boxes in the batch, without padding.
        predicted_ms: milliseconds that the cost model predicted when the batch was sent.
        real_ms: milliseconds of an engine slot that the batch used: less than it took where batches shared a slot.
    """

    images: int
    rois: int
    predicted_ms: float
    real_ms: float


class EndpointState(StrEnum):
    """Whether a Triton server gets batches of a model."""

    UP = "up"
    """It runs the model and gets batches."""
    TESTING = "testing"
    """It answers, and its model is being tested before it gets batches."""
    CIRCUIT_OPEN = "circuit_open"
    """It gets no batches for a while, because it did not answer in time or its batches failed."""
    DOWN = "down"
    """It can't be reached, or has no version of the model that can be used."""


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """One Triton server, as far as one model goes.

    Attributes:
        address: ``address:port`` of its gRPC.
        state: whether it gets batches.
        version: version of the model in use there; empty while none is.
        batches: number of batches that it answered.
        failures: number of batches that failed there.
        retries: number of the failed batches that were run again on another server.
        in_flight: number of batches that it is running now.
        outstanding_ms: predicted milliseconds of the batches that it is running now.
    """

    address: str
    state: EndpointState
    version: str
    batches: int
    failures: int
    retries: int
    in_flight: int
    outstanding_ms: float


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model that is served, and its queue.

    Attributes:
        name: name of the model in the repository.
        version: version in use now.
        variant: ``b0``, ``b1`` or ``b7``.
        engine: what runs it now: ``onnx``, ``triton`` or ``onnx-fallback``.
        precision: of its weights: ``fp32``, ``fp16`` or ``int8``; empty if that isn't known.
        queued_jobs: number of jobs that wait for the engine.
        oldest_job_s: seconds that the oldest of them has waited; 0 if there is none.
        queued_ms: predicted engine milliseconds of all of them.
    """

    name: str
    version: str
    variant: str
    engine: str
    precision: str
    queued_jobs: int
    oldest_job_s: float
    queued_ms: float


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """The state of the service at this moment.

    Attributes:
        ready: whether requests should be sent here, as ``/readyz`` answers.
        requests: number of requests in progress.
        held_bytes: bytes of memory that those requests hold.
        models: every model that is served.
    """

    ready: bool
    requests: int
    held_bytes: int
    models: Sequence[ModelReport]
