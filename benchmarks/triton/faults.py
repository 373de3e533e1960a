"""Kills, stops or slows one of two real Tritons under load: ``python -m benchmarks.triton.faults``.

For each fault, callers send requests for 60 s, one after the other; the fault begins after 15 s and ends after 35 s.
Every answer is compared with that of an undisturbed server. Then both servers are killed, and one is started again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import numpy as np

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import SERVE, serving
from benchmarks.harness.triton.models import targets_of
from benchmarks.harness.triton.proxy import Proxy
from benchmarks.harness.triton.server import Triton, triton

CALLERS = 4
SECONDS, FAULT_AT, MENDED_AT = 60.0, 15.0, 35.0
FAULT_LASTS = 5.0
"""So long after it began, latencies count as those during the fault."""
HEADERS = {"content-type": "image/jpeg"}
BOXES = ("22,15,365,512", "526,18,949,512", "22,15,365,512;526,18,949,512", "300,0,700,512;22,15,365,512")
LATENCY_S = 2.0
Step = Callable[[], Awaitable[None]]


@dataclass
class Seen:
    """What callers saw: when each asked, what came of it, and how long it took."""

    samples: list[tuple[float, int, float]] = field(default_factory=list)
    wrong: int = 0


async def ask(client: httpx.AsyncClient, boxes: str) -> httpx.Response:
    """One request."""
    photo = SAMPLE.read_bytes()
    return await client.post("/v1/segment", content=photo, params={"boxes": boxes}, headers=HEADERS)


async def load(url: str, fault: Step, mend: Step) -> Seen:
    """Callers for a minute, and the fault in its midst."""
    seen, started = Seen(), time.monotonic()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        right = {boxes: (await ask(client, boxes)).json()["instances"] for boxes in BOXES}
        started = time.monotonic()

        async def caller(number: int) -> None:
            turn = number
            while (asked := time.monotonic() - started) < SECONDS:
                boxes = BOXES[turn % len(BOXES)]
                answer = await ask(client, boxes)
                seen.samples.append((asked, answer.status_code, time.monotonic() - started - asked))
                seen.wrong += answer.status_code == 200 and answer.json()["instances"] != right[boxes]
                turn += 1
                if answer.status_code != 200:
                    await asyncio.sleep(0.1)

        async def trouble() -> None:
            await asyncio.sleep(FAULT_AT)
            await fault()
            await asyncio.sleep(started + MENDED_AT - time.monotonic())
            await mend()

        await asyncio.gather(trouble(), *(caller(number) for number in range(CALLERS)))
    return seen


def report(name: str, seen: Seen) -> None:
    """One line."""
    statuses = Counter(status for _, status, _ in seen.samples)
    other = sum(statuses.values()) - statuses[200]
    took = np.array([(asked, seconds) for asked, status, seconds in seen.samples if status == 200])
    # A request that was under way when the fault came counts as well.
    during = (took[:, 0] + took[:, 1] > FAULT_AT) & (took[:, 0] < FAULT_AT + FAULT_LASTS)
    calm, faulty = (np.percentile(took[which, 1] * 1000, (50, 99)) for which in (took[:, 0] < FAULT_AT - 2, during))
    print(
        f"{name}: {sum(statuses.values())} requests, {dict(statuses)}, {other / sum(statuses.values()):.2%} not 200, "
        f"{seen.wrong} wrong; p50 / p99 before {calm[0]:.0f} / {calm[1]:.0f} ms, "
        f"in the {FAULT_LASTS:.0f} s after the fault {faulty[0]:.0f} / {faulty[1]:.0f} ms"
    )


def both_down(url: str, servers: tuple[Triton, Triton]) -> None:
    """How soon the service says so, and how soon it is back."""
    with httpx.Client(base_url=url, timeout=60) as client:

        def post() -> tuple[int, float]:
            began = time.monotonic()
            answer = client.post(
                "/v1/segment", content=SAMPLE.read_bytes(), params={"boxes": BOXES[0]}, headers=HEADERS
            )
            return answer.status_code, (time.monotonic() - began) * 1000

        for server in servers:
            server.kill()
        killed = time.monotonic()
        while client.get("/readyz").status_code == 200:
            time.sleep(0.01)
        unready = time.monotonic() - killed
        refused = [post() for _ in range(50)]
        servers[0].start()
        answering = time.monotonic()
        while post()[0] != 200:
            time.sleep(0.01)
        back = time.monotonic() - answering
    assert {status for status, _ in refused} == {503}
    most = max(milliseconds for _, milliseconds in refused)
    print(
        f"both killed: not ready after {unready * 1000:.0f} ms; 503 within {most:.0f} ms (of 50); first 200 "
        f"{back * 1000:.0f} ms after a Triton answers again"
    )


async def slowed(servers: tuple[Triton, Triton]) -> None:
    """The first behind a line that becomes slow."""
    async with Proxy(servers[0].grpc) as proxy:
        command = (*SERVE, "--engine", f"{targets_of(servers[1])},{proxy.address}")
        with ExitStack() as stack:
            service = await asyncio.to_thread(stack.enter_context, serving(command))

            async def slow() -> None:
                proxy.latency_s = LATENCY_S

            async def quick() -> None:
                proxy.latency_s = 0.0

            report("slowed", await load(service.url, slow, quick))
            metrics = (await asyncio.to_thread(httpx.get, service.url + "/metrics")).text
            print("\n".join(line for line in metrics.splitlines() if line.startswith("hiseg_triton_batches_total")))
            await asyncio.to_thread(stack.close)


def main(wanted: list[str]) -> None:
    """Those named, or all."""
    with triton() as first, triton() as second:
        servers = first, second

        async def kill() -> None:
            await asyncio.to_thread(first.kill)

        async def terminate() -> None:
            first.terminate()

        async def start() -> None:
            await asyncio.to_thread(first.wait_until_ended)
            await asyncio.to_thread(first.start)

        with serving((*SERVE, "--engine", targets_of(*servers))) as service:
            for name, fault in (("killed", kill), ("terminated", terminate)):
                if not wanted or name in wanted:
                    report(name, asyncio.run(load(service.url, fault, start)))
            if not wanted or "both" in wanted:
                both_down(service.url, servers)
                second.start()
        if not wanted or "slowed" in wanted:
            asyncio.run(slowed(servers))


if __name__ == "__main__":
    main(sys.argv[1:])
