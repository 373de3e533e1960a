"""Stands before every route: finds out who asks, and refuses those who need an API key and have none.

What machines ask whether all is well, and pages that hold nothing but themselves, need no key.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from hiseg.access.key_store import KeyStore
from hiseg.access.quota import ClientQuota
from hiseg.core.errors import Unauthorized
from hiseg.observability.metrics import Metrics
from hiseg.transports.http.problems import problem

CALLER = "hiseg.caller"
"""Where a request's scope has the caller."""
OPEN = frozenset(
    {
        "/",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        "/health",
        "/v2/health/live",
        "/v2/health/ready",
    }
)
OPEN_FOLDERS = ("/playground/", "/docs/")


class AuthMiddleware:
    """An ASGI application around another.

    Args:
        app: what is guarded.
        ring: the keys.
        metrics: who counts those that are refused.
    """

    def __init__(self, app: ASGIApp, key_store: KeyStore, metrics: Metrics) -> None:
        self._app = app
        self._ring = key_store
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope["path"]):
            try:
                scope[CALLER] = caller_of(self._ring, scope)
            except Unauthorized as error:
                self._metrics.unauthorized("http")
                await problem(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether everybody may ask for it."""
    return path in OPEN or path.startswith(OPEN_FOLDERS)


def caller_of(key_store: KeyStore, scope: Scope) -> ClientQuota:
    """Who asks.

    Raises:
        Unauthorized: nobody that is known.
    """
    return key_store.caller((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
