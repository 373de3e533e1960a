"""Why a request was refused, in one stable word, so that programs needn't read sentences.

The same word stands in problem+json (``reason``), in gRPC's ``google.rpc.ErrorInfo``, in the errors of the client, in
the metrics and in the log. Words are added, but none is renamed or used for something else. ``docs/inputs.md`` has
them as a table, which a test compares with this list.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a request was refused, or got no answer."""

    INVALID_REQUEST = "INVALID_REQUEST"
    """A box, an option, a field or the body's form is wrong; ``field`` says which. 422; a retry doesn't help."""
    UNDECODABLE_IMAGE = "UNDECODABLE_IMAGE"
    """The image is damaged, empty or cut off. 422; a retry doesn't help, unless it was damaged on the way."""
    UNSUPPORTED_IMAGE = "UNSUPPORTED_IMAGE"
    """The image has a type that isn't read. 415; a retry doesn't help."""
    UNSUPPORTED_CONTENT_TYPE = "UNSUPPORTED_CONTENT_TYPE"
    """The body has a content type that isn't read. 415; a retry doesn't help."""
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"
    """The body is compressed in a way that isn't read. 415; a retry helps without the compression."""

    TOO_LARGE = "TOO_LARGE"
    """Something has more parts than are taken; ``field`` and ``limit`` say what. 413; a retry doesn't help."""
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    """The body, the image or the JSON has too many bytes. 413; a retry doesn't help."""
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    """A message of gRPC has too many bytes. No HTTP status; a retry doesn't help."""
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    """The image has too many pixels. 413; a retry doesn't help."""
    SIDE_TOO_LONG = "SIDE_TOO_LONG"
    """The image is too wide or too high. 413; a retry doesn't help."""
    TOO_MUCH_MEMORY = "TOO_MUCH_MEMORY"
    """The image would take more memory than is ever used for one. 413; a retry doesn't help."""
    TOO_MANY_BOXES = "TOO_MANY_BOXES"
    """There are too many boxes. 413; a retry doesn't help, requests of fewer boxes do."""
    TOO_MANY_MASK_PIXELS = "TOO_MANY_MASK_PIXELS"
    """The boxes' masks cover too many pixels together. 413; a retry doesn't help, requests of fewer boxes do."""
    ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE"
    """The answer would be too large in the format that was asked for. 413; another format or fewer boxes help."""

    WAIT_TOO_LONG = "WAIT_TOO_LONG"
    """The request would wait longer than requests are let wait. 429; a retry helps, after ``Retry-After``."""
    WAIT_PAST_DEADLINE = "WAIT_PAST_DEADLINE"
    """It would wait past its own deadline. 429; a retry helps, after ``Retry-After`` or with a later deadline."""
    MEMORY_IN_USE = "MEMORY_IN_USE"
    """Requests inside hold the memory that it needs. 429; a retry helps, after ``Retry-After``."""
    ENGINE_BUSY = "ENGINE_BUSY"
    """The queue of every inference server is full. 429; a retry helps, after ``Retry-After``."""
    KEY_RATE = "KEY_RATE"
    """Requests come faster than the API key's limit. 429; a retry helps, after ``Retry-After``."""
    KEY_CONCURRENT = "KEY_CONCURRENT"
    """The API key has as many requests inside as it may. 429; a retry helps, after ``Retry-After``."""
    TOO_MANY_CALLS = "TOO_MANY_CALLS"
    """Too many calls of gRPC are open, or of this caller. No HTTP status; a retry helps, after ``retry-after``."""
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    """Too many streams of gRPC are open, or of this caller. No HTTP status; a retry helps, after ``retry-after``."""

    STARTING = "STARTING"
    """The models are being loaded. 503; a retry helps, after ``Retry-After``."""
    SHUTTING_DOWN = "SHUTTING_DOWN"
    """The service ends, or is about to. 503; a retry helps, after ``Retry-After``: another replica may answer it."""
    NO_ENGINE = "NO_ENGINE"
    """Nothing runs the model at the moment. 503; a retry helps, after ``Retry-After``."""
    ENGINE_FAILED = "ENGINE_FAILED"
    """Inference servers went down while they ran it, so that it may be the cause. 503; don't send it again."""
    THREADS_STUCK = "THREADS_STUCK"
    """All threads for images work on what nobody waits for; only ``/readyz`` says so. 503; a retry helps, elsewhere."""
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    """Too many connections are open. 503; a retry helps, after ``Retry-After``."""

    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    """The deadline passed, or is too near even for an idle engine. 504; a later deadline helps."""
    REQUEST_TOO_SLOW = "REQUEST_TOO_SLOW"
    """The body or the message came too slowly. 504; a retry helps over a faster connection."""
    STREAM_IDLE = "STREAM_IDLE"
    """No frame came on a stream for too long. No HTTP status; open a new stream when there are frames again."""

    INVALID_API_KEY = "INVALID_API_KEY"
    """The service needs an API key, and there is none, or one that isn't known. 401; another key helps."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """A bug; ``id`` stands in the service's log. 500; a retry rarely helps."""

    MALFORMED_HTTP = "MALFORMED_HTTP"
    """What came is no request of HTTP/1.1. 400; a retry doesn't help."""
    NOT_FOUND = "NOT_FOUND"
    """There is nothing at the path, or no such model. 404; a retry doesn't help."""
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    """The path has no such method; ``Allow`` names those that it has. 405; a retry doesn't help."""
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    """``Accept`` names nothing that can be answered. 406; a retry doesn't help."""
    HEADERS_TOO_SLOW = "HEADERS_TOO_SLOW"
    """The headers came too slowly. 408; a retry helps over a faster connection."""
    FRAMING_TOO_LARGE = "FRAMING_TOO_LARGE"
    """The framing of the body costs more than the body is worth. 413; a retry helps with larger chunks."""
    URL_TOO_LONG = "URL_TOO_LONG"
    """The URL is too long. 414; a retry doesn't help, boxes in the body do."""
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    """There are too many headers, or too long ones. 431; a retry doesn't help."""


OVERLOADED = (
    Reason.WAIT_TOO_LONG,
    Reason.WAIT_PAST_DEADLINE,
    Reason.MEMORY_IN_USE,
    Reason.ENGINE_BUSY,
    Reason.KEY_RATE,
    Reason.KEY_CONCURRENT,
    Reason.TOO_MANY_CALLS,
    Reason.TOO_MANY_STREAMS,
)
"""Reasons for which a request is refused because of load, or of the limits of its caller; the usual one first."""
RETRY_HELPS = frozenset(
    {
        *OVERLOADED,
        Reason.STARTING,
        Reason.SHUTTING_DOWN,
        Reason.NO_ENGINE,
        Reason.THREADS_STUCK,
        Reason.TOO_MANY_CONNECTIONS,
    }
)
"""Reasons for which the same request, sent again a little later, may be answered."""
