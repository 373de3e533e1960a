"""Sends requests over HTTP; they are built before the run, so that sending one costs little."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from hiseg.bench.sender import EXPECTED_OUTCOMES, Outcome, Reply, Request, parse_server_timing

IDLE_S = 2.5
"""Seconds after which an idle connection isn't used again: the service closes it after 5, and one that is closed
just as it is used would count as an error."""
Prepared = tuple[URL, aiohttp.BytesPayload, dict[str, str]]
"""URL, body and headers of a request."""


class HttpSender:
    """Sends to ``POST /v1/segment``, over as many connections as there are requests under way."""

    def __init__(self, session: aiohttp.ClientSession, url: str, requests: Sequence[Request]) -> None:
        self._session = session
        bodies = {image: _body(image) for image in {request.image for request in requests}}
        endpoint = url.rstrip("/") + "/v1/segment"
        self._prepared: list[Prepared] = [
            (URL(f"{endpoint}?{_query(request)}", encoded=True), bodies[request.image], _headers(request))
            for request in requests
        ]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, requests: Sequence[Request], timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[HttpSender]:
        """Open a session, until the end of the block.

        Args:
            url: URL of the service.
            requests: the requests that will be sent, and no others.
            timeout_s: seconds for which an answer is waited for.
            headers: sent with every request.
        """
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
        async with aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding",),
        ) as session:
            yield cls(session, url, requests)

    async def send(self, request: Request) -> Reply:
        url, body, headers = self._prepared[request.number]
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                answer = await response.read()
        except TimeoutError:
            return Reply(Outcome.TIMEOUT)
        except (aiohttp.ClientError, OSError) as error:
            return Reply(Outcome.CONNECTION_ERROR, detail=_reason(error))
        if response.status == 200:
            return Reply(Outcome.OK, len(answer), parse_server_timing(response.headers.get("Server-Timing", "")))
        outcome = str(response.status)
        return Reply(outcome, len(answer), detail="" if outcome in EXPECTED_OUTCOMES else _detail(answer))


def _query(request: Request) -> str:
    boxes = ";".join(",".join(str(corner) for corner in box) for box in request.boxes)
    return "&".join([f"boxes={quote(boxes, safe=',')}"] + ([urlencode(request.options)] if request.options else []))


def _headers(request: Request) -> dict[str, str]:
    return {"X-Forwarded-For": request.caller} if request.caller else {}


def _body(image: bytes) -> aiohttp.BytesPayload:
    with warnings.catch_warnings():
        # A body of more than a megabyte is sent in one piece all the same: it is there already.
        warnings.simplefilter("ignore", ResourceWarning)
        return aiohttp.BytesPayload(image, content_type="image/jpeg")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _detail(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["detail"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode(errors="replace")
