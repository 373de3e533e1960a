"""What both HTTP transports set up alike, and what httpx's exceptions mean."""

from __future__ import annotations

from typing import Any

import httpx

from hiseg.client.connection import SECURE, Address
from hiseg.client.errors import ClientError, ConnectionFailed, ConnectionLost, DeadlineExceeded, UnexpectedAnswer

IDLE_S = 2.5
"""An idle connection isn't used again after this; services close theirs after 5 s, and one closed just as it is used
would fail a request."""
FAILURES = (httpx.HTTPError, OSError)
"""What a request raises that isn't answered. TLS that ends after its handshake comes as it is."""
GRACE_S = 0.5
"""So much longer than asked is an answer waited for: the service's own "too late" says more than ours."""
NO_STREAMS = "streams need gRPC: use a grpc:// or grpcs:// URL"


def setup(to: Address) -> dict[str, Any]:
    """The arguments of ``httpx.Client`` and ``httpx.AsyncClient``."""
    return {
        "base_url": to.url,
        "headers": dict(to.headers),
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=IDLE_S),
        "verify": to.tls.context() if to.scheme in SECURE else True,
    }


def translated(error: httpx.HTTPError | OSError, seconds: float) -> ClientError:
    """Why there is no answer."""
    reason = str(error) or type(error).__name__
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return ConnectionFailed(f"no connection: {reason}")
        case httpx.TimeoutException():
            return DeadlineExceeded(f"no answer within {seconds:.3g} s")
        case httpx.NetworkError() | httpx.RemoteProtocolError() | OSError():
            return ConnectionLost(f"the connection ended before the answer came: {reason}")
    return UnexpectedAnswer(reason)
