"""A small server on loopback that behaves as configured and counts the requests in progress."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Behaviour:
    """What it does with each request, and what it saw."""

    delay: float = 0.0
    hold_until: int = 0
    refuse_every: int = 0
    status: int = 200
    inside: int = 0
    most_inside: int = 0
    seen: int = 0
    queries: list[dict[str, str]] = field(default_factory=list)
    callers: set[str | None] = field(default_factory=set)
    bodies: set[bytes] = field(default_factory=set)
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    async def segment(self, request: web.Request) -> web.Response:
        self.seen += 1
        self.queries.append(dict(request.query))
        self.callers.add(request.headers.get("X-Forwarded-For"))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            self.bodies.add(await request.read())
            if self.refuse_every and self.seen % self.refuse_every == 0:
                return web.json_response({"title": "Too many"}, status=429)
            if self.seen >= self.hold_until:
                self.all_there.set()
            await self.all_there.wait()
            await asyncio.sleep(self.delay)
            if self.status != 200:
                return web.json_response({"detail": "because of the moon"}, status=self.status)
            return web.json_response({"instances": []}, headers={"Server-Timing": "decode;dur=1.5, infer;dur=40"})
        finally:
            self.inside -= 1


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The URL of a server in a thread of its own."""
    started, urls = threading.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/segment", behaviour.segment)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        stop = asyncio.Event()
        stops.append(stop)
        started.set()
        await stop.wait()
        await runner.cleanup()

    stops: list[asyncio.Event] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stops[0].set)
        thread.join(10)
        loop.close()
