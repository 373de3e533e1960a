"""The one place that knows which transport a URL asks for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from hiseg.bench.errors import BadOption, missing_extra
from hiseg.bench.grpc_sender import GrpcSender
from hiseg.bench.sender import Request, Sender


def connect(
    url: str, requests: Sequence[Request], timeout_s: float, api_key: str | None = None
) -> AbstractAsyncContextManager[Sender]:
    """A sender of these requests to ``url``, to be entered.

    Raises:
        BadOption: the URL is not one that can be sent to.
        BenchError: the transport's package isn't installed.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise BadOption("--url", url, "is not a URL with a host, such as http://127.0.0.1:8000")
    headers = {} if api_key is None else {"x-api-key": api_key}
    match parts.scheme:
        case "http" | "https":
            try:
                # Not at the top: aiohttp is an optional extra.
                from hiseg.bench.http_sender import HttpSender
            except ModuleNotFoundError as error:
                raise missing_extra(error) from error
            return HttpSender.open(url, requests, timeout_s, headers)
        case "grpc":
            return GrpcSender.open(url, requests, timeout_s, headers)
        case scheme:
            raise BadOption("--url", url, f"has the scheme {scheme!r}; http, https and grpc are there")
