"""Errors of masks made in this process: those of the client, so that programs needn't know where masks come from."""

from __future__ import annotations

from hiseg.client.errors import KIND_OF_REASON, ClientError
from hiseg.core.errors import HisegError


class SessionError(ClientError):
    """A session can't be made or used: there are no models, a setting is refused, or it was closed."""


def to_client_error(error: HisegError) -> ClientError:
    """The error that the client would have raised for the same request."""
    limit = list(error.limit) if isinstance(error.limit, tuple) else error.limit
    return KIND_OF_REASON[error.reason](
        error.detail,
        reason=error.reason.value,
        field=error.field,
        limit=limit,
        value=error.value,
        retry_after=getattr(error, "retry_after", None),
    )


def closed() -> SessionError:
    """The error of what comes after a session was closed, or is on its way then."""
    return SessionError("the session is closed; make another one")
