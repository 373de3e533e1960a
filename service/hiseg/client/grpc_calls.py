"""What both gRPC transports set up alike, and what gRPC's statuses mean."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from hiseg.client import errors
from hiseg.client.connection import SECURE, Address
from hiseg.client.errors import ClientError

RETRY_AFTER, RICH = "retry-after", "grpc-status-details-bin"
OPTIONS = (
    # Masks of a hundred people may be larger than the 4 MiB that gRPC takes by default.
    ("grpc.max_receive_message_length", -1),
    # A service that comes back is found soon. (`min_reconnect_backoff_ms` is no part of that, whatever its name: it is
    # how long a connection may take to be made.)
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A stream whose other end has vanished without a word ends within a minute and a half.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
TYPES: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthorized,
    grpc.StatusCode.PERMISSION_DENIED: errors.Unauthorized,
    grpc.StatusCode.INTERNAL: errors.InternalError,
    # The service says neither. A proxy on the way that loses it, or is restarted itself, ends streams so.
    grpc.StatusCode.CANCELLED: errors.ConnectionLost,
    grpc.StatusCode.UNKNOWN: errors.ConnectionLost,
}
GRPCS_OWN: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.TooLarge,
    grpc.StatusCode.UNAVAILABLE: errors.ConnectionFailed,
}
"""What these mean without ``retry-after``: the service didn't say them."""


def credentials(to: Address) -> grpc.ChannelCredentials | None:
    """For a secure channel; None: a plain one is wanted."""
    return grpc.ssl_channel_credentials(*to.tls.pem()) if to.scheme in SECURE else None


def translated(error: grpc.RpcError) -> ClientError:
    """Why there is no answer."""
    code = error.code()
    trailing: dict[str, str | bytes] = dict(pairs(error.trailing_metadata()))
    retry_after = seconds_in(trailing.get(RETRY_AFTER))
    kind = TYPES.get(code, errors.UnexpectedAnswer)
    if retry_after is None:
        kind = GRPCS_OWN.get(code, kind)
    field = field_in(trailing.get(RICH)) if kind is errors.InvalidRequest else None
    return kind(error.details() or code.name, code=code.name, field=field, retry_after=retry_after)


def pairs(metadata: object) -> Iterable[tuple[str, str | bytes]]:
    """Names and values; the two kinds of channel have different types for them."""
    return [(name, value) for name, value in metadata] if isinstance(metadata, Iterable) else []


def seconds_in(retry_after: str | bytes | None) -> float | None:
    """``retry-after``; None if there is none, or it is no number."""
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None


def field_in(rich: str | bytes | None) -> str | None:
    """The field at fault, by the status's details; None if they don't say."""
    if not isinstance(rich, bytes):
        return None
    try:
        for detail in Status.FromString(rich).details:
            bad = BadRequest()
            if detail.Unpack(bad):
                return next((violation.field for violation in bad.field_violations if violation.field), None)
    except DecodeError:
        pass
    return None
