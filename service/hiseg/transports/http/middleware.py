"""What stands before every route: the API key is checked, the request gets its id, and one line is logged of it."""

from __future__ import annotations

import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hiseg.access.key_store import KeyStore
from hiseg.api.exchange import Exchange
from hiseg.api.limits import MAX_QUERY_PARAMETERS
from hiseg.core.errors import InvalidRequest, Unauthorized, shorten
from hiseg.observability.logs import REQUEST_ID, RequestLogEntry, current_request_id, read_request_id
from hiseg.observability.metrics import Metrics
from hiseg.transports.http.problems import problem

QUOTA = "hiseg.quota"
"""Key of a request's scope: the :class:`hiseg.access.quota.ClientQuota` of its API key, on paths that need a key."""
LOG_ENTRY = "hiseg.log_entry"
"""Key of a request's scope: the :class:`RequestLogEntry` that will be logged of it."""
REDIRECT = 307
"""Status of the framework's answer to a path with a slash too many or too few at its end."""
PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/health", "/v2/health/live", "/v2/health/ready"})
"""Paths that machines ask for every few seconds: they need no API key, and nothing is logged of them."""
PAGES = frozenset({"/", "/docs", "/openapi.json"})
"""Paths that need no API key: pages that hold nothing but themselves."""
PAGE_FOLDERS = ("/playground/", "/docs/")
"""Below these paths lies what the pages consist of."""


def needs_key(path: str) -> bool:
    """Whether a request for the path needs an API key, if the service has any."""
    return path not in PROBES and path not in PAGES and not path.startswith(PAGE_FOLDERS)


def without_host(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A header, with only a path in ``Location``: the framework would send visitors to whatever ``Host`` says."""
    return (name, b"/" + value.partition(b"//")[2].partition(b"/")[2]) if name == b"location" else (name, value)


class AuthMiddleware:
    """An ASGI application that refuses requests without a valid API key, and puts the key's quota into the scope.

    It also refuses queries that would take long to parse, since it is the first that knows who asks.

    Args:
        app: the application that it protects.
        key_store: the keys.
        metrics: count the requests that are refused.
    """

    def __init__(self, app: ASGIApp, key_store: KeyStore, metrics: Metrics) -> None:
        self._app = app
        self._key_store = key_store
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and needs_key(scope["path"]):
            headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
            try:
                scope[QUOTA] = self._key_store.authenticate(headers)
            except Unauthorized as error:
                self._metrics.count_unauthorized("http")
                await problem(error, scope["path"])(scope, receive, send)
                return
        if scope["type"] == "http" and (separators := scope["query_string"].count(b"&")) >= MAX_QUERY_PARAMETERS:
            text = f"the query has {separators + 1} parameters; at most {MAX_QUERY_PARAMETERS} are taken"
            refusal = InvalidRequest(text, field="query", limit=MAX_QUERY_PARAMETERS, value=separators + 1)
            await problem(refusal, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)


class AccessLogMiddleware:
    """An ASGI application that gives each request its id and logs one line when it has ended.

    It answers unexpected exceptions too: where they are known by the id of their request, and once.

    Args:
        app: the application whose requests are logged.
        exchange: logs and counts unexpected exceptions.
    """

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self._app = app
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = read_request_id(headers.get(REQUEST_ID.encode(), b"").decode("latin-1"))
        entry = scope[LOG_ENTRY] = RequestLogEntry(client=scope["client"][0] if scope["client"] else "")
        started, status, received, sent = time.perf_counter(), 0, 0, 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (REQUEST_ID.encode(), request_id.encode())]
                message["headers"] = [without_host(*header) for header in headers] if status == REDIRECT else headers
            sent += len(message.get("body", b""))
            await send(message)

        token = current_request_id.set(request_id)
        try:
            await self._app(scope, receive_counted, send_with_id)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except Exception as error:
            answer = problem(self._exchange.report_bug(error), scope["path"])
            if not status:  # else the answer has begun, and the server cuts it off
                await answer(scope, receive, send_with_id)
        finally:
            if scope["path"] not in PROBES:
                entry.write(
                    method=scope["method"],
                    path=shorten(scope["path"]),
                    status=status or 500,
                    bytes_in=received,
                    bytes_out=sent,
                    ms=round((time.perf_counter() - started) * 1000, 2),
                )
            current_request_id.reset(token)
