"""HTTP for :class:`hiseg.client.Client`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx

from hiseg.client.connection import Address, StreamOptions
from hiseg.client.errors import NOT_READY
from hiseg.client.frames import FrameLike, Outcome
from hiseg.client.http_calls import FAILURES, GRACE_S, NO_STREAMS, setup, translated
from hiseg.client.http_wire import INFO, READY, SEGMENT, Post, read, to_result
from hiseg.client.request import SegmentRequest
from hiseg.client.result import Result


class HttpTransport:
    """A :class:`hiseg.client.connection.Transport`."""

    def __init__(self, to: Address) -> None:
        self._session = httpx.Client(**setup(to))
        self._jpeg_quality = to.jpeg_quality

    def prepare(self, question: SegmentRequest) -> Callable[[float], Result]:
        post = Post(question, self._jpeg_quality)
        return lambda seconds: to_result(self._call("POST", SEGMENT, seconds, **post.arguments(seconds)))

    def info(self, seconds: float) -> dict[str, Any]:
        return self._call("GET", INFO, seconds)

    def ready(self, seconds: float) -> bool:
        try:
            self._call("GET", READY, seconds)
        except NOT_READY:
            return False
        return True

    def stream(self, frames: Iterable[FrameLike], how: StreamOptions) -> Iterator[Outcome]:
        raise ValueError(NO_STREAMS)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, path, timeout=seconds + GRACE_S, **arguments)
        except FAILURES as error:
            raise translated(error, seconds) from error
        return read(answer.status_code, answer.headers, answer.content)
