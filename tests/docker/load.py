"""Callers that send requests without pause or retry, and cameras that reconnect, while services restart."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import cv2
import httpx
import numpy as np

from hiseg.client import Client, ClientError, ConnectionLost, Segmented, Unavailable

PAUSE_S = 0.03
RECONNECT_S = 0.2


@dataclass(slots=True)
class Seen:
    """What came of it.

    Attributes:
        http, grpc: how often each status, or error, was seen.
        results: masks that cameras got.
        lost: outcomes of frames that are none of masks, by kind.
        reconnected: times that a camera had to open its stream again.
        wrong: answers with a mask of which any pixel differs from that of the first answer.
    """

    http: Counter[str] = field(default_factory=Counter)
    grpc: Counter[str] = field(default_factory=Counter)
    results: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    reconnected: int = 0
    wrong: int = 0


def small(photo: bytes) -> bytes:
    """The photo, so small that it costs next to nothing."""
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".jpg", cv2.resize(pixels, (160, 96)))[1].tobytes()


@contextmanager
def load(
    http: str, grpc: str, photo: bytes, boxes: Sequence[Sequence[float]], cameras: int, callers: int = 1
) -> Iterator[Seen]:
    """Until the end of the block; what was seen is complete after it.

    Args:
        http, grpc: where requests and calls go.
        photo, boxes: of each request and frame.
        cameras: how many.
        callers: how many of each transport.
    """
    seen, over = Seen(), threading.Event()
    query = ";".join(",".join(f"{value:g}" for value in box) for box in boxes)
    with Client(grpc) as client:
        right = [person.counts for person in client.segment(photo, boxes).instances]

    def check(masks: list[str]) -> None:
        seen.wrong += masks != right

    def ask_http() -> None:
        with httpx.Client(base_url=http, timeout=30) as client:
            while not over.is_set():
                try:
                    answer = client.post(
                        "/v1/segment", params={"boxes": query}, content=photo, headers={"content-type": "image/jpeg"}
                    )
                    seen.http[str(answer.status_code)] += 1
                    if answer.status_code == 200:
                        check([person["mask"]["counts"] for person in answer.json()["instances"]])
                except httpx.HTTPError as error:
                    seen.http[repr(error)] += 1
                time.sleep(PAUSE_S)

    def ask_grpc() -> None:
        with Client(grpc, retries=0) as client:
            while not over.is_set():
                try:
                    check([person.counts for person in client.segment(photo, boxes).instances])
                    seen.grpc["OK"] += 1
                except ClientError as error:
                    seen.grpc[f"{error.code}: {error}"] += 1
                time.sleep(PAUSE_S)

    def film() -> None:
        def frames() -> Iterator[tuple[bytes, Sequence[Sequence[float]]]]:
            while not over.is_set():
                yield photo, boxes
                time.sleep(PAUSE_S)

        while not over.is_set():
            with Client(grpc) as client, suppress(Unavailable, ConnectionLost):
                for outcome in client.stream(frames(), "latest_only"):
                    if isinstance(outcome, Segmented):
                        seen.results += 1
                        check([person.counts for person in outcome.result.instances])
                    else:
                        seen.lost[getattr(outcome, "reason", type(outcome).__name__)] += 1
                return
            seen.reconnected += 1
            time.sleep(RECONNECT_S)

    work: list[Callable[[], None]] = [*[ask_http, ask_grpc] * callers, *[film] * cameras]
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()
