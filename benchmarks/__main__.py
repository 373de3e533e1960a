"""Measures time and memory of the model by number of people, and a request over HTTP against it: ``make bench``.

All cases take turns in one run, so that a slow moment of the machine affects all of them.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import serving
from hiseg.core.box import Box
from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.onnx import OnnxEngine
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits
from hiseg.models.random_inputs import random_batch

ROUNDS = 30
PEOPLE = (0, 1, 2, 4, 8, 16, 32)
MODEL = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"


def medians(cases: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median milliseconds of each case; the cases take turns, so that a slow moment falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            started = time.perf_counter()
            case()
            times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def model(engine: OnnxEngine) -> None:
    """The engine alone, by canvas and number of people."""

    def case(canvas: tuple[int, int], people: int) -> Callable[[], object]:
        batch = random_batch(canvas, 1, people, engine.info.outputs)
        return lambda: engine.run(batch)

    canvases = engine.info.canvases[:4:3]
    found = medians({f"{c} {n}": case(c, n) for c in canvases for n in PEOPLE})
    print(f"engine alone, ms, median of {ROUNDS}\n{'people':>12}" + "".join(f"{n:>8}" for n in PEOPLE))
    for canvas in canvases:
        print(f"{canvas[0]:>5} x {canvas[1]:<4}" + "".join(f"{found[f'{canvas} {n}']:8.1f}" for n in PEOPLE))


def memory(engine: OnnxEngine) -> None:
    """What two batches of one image at once take above the engine at rest, by number of people: the highest, for good.

    It counts the process, so it comes before whatever else takes memory.
    """

    def resident(field: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))

    async def two_at_once(people: int) -> None:
        batches = [random_batch(engine.info.canvases[0], 1, people, engine.info.outputs) for _ in range(2)]
        await asyncio.gather(*map(engine.infer, batches))

    engine.run(random_batch(engine.info.canvases[0], 1, PEOPLE[4], engine.info.outputs))
    rest = resident("VmRSS")
    print(f"two batches at once, MiB above the engine at rest ({rest:.0f})")
    for people in (2, 16, 32, 100):
        asyncio.run(two_at_once(people))
        print(f"{people:>12}{resident('VmHWM') - rest:8.0f}, afterwards {resident('VmRSS') - rest:.0f}")


def service(engine: OnnxEngine) -> None:
    """A request over HTTP against the engine on the same canvas and boxes, both in one run."""
    photo = SAMPLE.read_bytes()
    image = inspect(photo, ImageLimits(10**8, 10**8)).decode()
    placement = choose_canvas(image.height, image.width, engine.info.canvases)
    rois = placement.rois([Box(*box) for box in SAMPLE_BOXES])
    batch = Batch(
        to_canvas(image.pixels, placement)[None],
        np.concatenate([np.zeros((len(rois), 1), dtype=np.float32), rois], axis=1),
        BatchMeta(Outputs.MASKS),
    )
    query = {"boxes": ";".join(",".join(map(str, box)) for box in SAMPLE_BOXES)}
    headers = {"content-type": "image/jpeg"}
    with serving() as server, httpx.Client(base_url=server.url) as client:

        def request() -> None:
            client.post("/v1/segment", params=query, content=photo, headers=headers).raise_for_status()

        found = medians({"engine": lambda: engine.run(batch), "request": request})
        stages = client.post("/v1/segment", params=query, content=photo, headers=headers).headers["server-timing"]
    print(
        f"\nsample photo, 2 people: engine {found['engine']:.1f} ms, whole request over HTTP {found['request']:.1f} ms"
    )
    print(f"ratio {found['request'] / found['engine']:.2f}; one request's stages: {stages}")


if __name__ == "__main__":
    opened = OnnxEngine(MODEL, "hiseg_b0", "1")
    memory(opened)
    model(opened)
    service(opened)
    opened.close()
