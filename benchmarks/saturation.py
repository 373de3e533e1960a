"""Compares the throughput of the service with a bare loop around ONNX Runtime: ``python -m benchmarks.saturation``.

The two take turns. The loop decodes, prepares, runs, draws and encodes one image after the other, with the same
functions, the same engine threads and the same batch size (the service's mean, which is one image on a CPU). It has no
HTTP and waits for nobody.
"""

from __future__ import annotations

import re
import statistics
import time

import httpx
import numpy as np

from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import serving
from benchmarks.loads import load, requests
from hiseg.api.boxes import to_boxes
from hiseg.bench.run import ClosedLoop
from hiseg.bench.sender import Request
from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.onnx import OnnxEngine
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits
from hiseg.masks.formats.rle import coco_rle
from hiseg.masks.logits import crop_mask

ROUNDS = 6
SECONDS = 10
CALLERS = 8
LIMITS = ImageLimits(10**8, 10**8)


def one(engine: OnnxEngine, request: Request) -> None:
    """JPEG in, RLE out."""
    picture = inspect(request.image, LIMITS)
    placement = choose_canvas(picture.height, picture.width, engine.info.canvases)
    boxes = [box.clipped(picture.width, picture.height) for box in to_boxes(request.boxes, 0, 0)]
    rois = placement.rois(boxes)
    batch = Batch(
        to_canvas(picture.decode().pixels, placement)[None],
        np.concatenate([np.zeros((len(rois), 1), dtype=np.float32), rois], axis=1),
        BatchMeta(Outputs.MASKS),
    )
    prediction = engine.run(batch)
    for margin, box in zip(prediction.logit_margins, boxes, strict=True):
        seen = box.scaled(prediction.crop_scale)
        coco_rle(crop_mask(margin, seen, picture.width, picture.height)[0], picture.width, picture.height)


def bare_loop(engine: OnnxEngine, sent: list[Request], seconds: float) -> float:
    """Images a second."""
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        one(engine, sent[done % len(sent)])
        done += 1
    return done / (time.perf_counter() - started)


def main() -> None:
    """Rounds of both, and the median of their ratios."""
    engine = OnnxEngine(REPOSITORY / "hiseg_b0" / "1" / "model.onnx", "hiseg_b0", "1")
    sent = requests()
    bare_loop(engine, sent, 2)
    ratios = []
    with serving() as server:
        load(server.url, sent, ClosedLoop(CALLERS), 2)
        for _ in range(ROUNDS):
            service = load(server.url, sent, ClosedLoop(CALLERS), SECONDS, warm_up=1).ok_per_s
            bare = bare_loop(engine, sent, SECONDS)
            ratios.append(service / bare)
            print(f"service {service:.1f}/s, bare loop {bare:.1f}/s, ratio {ratios[-1]:.3f}")
        text = httpx.get(server.url + "/metrics").text
    print(f"median ratio {statistics.median(ratios):.3f}")
    print("\n".join(re.findall(r"^hiseg_batch_images_(?:count|sum).*", text, re.MULTILINE)))


if __name__ == "__main__":
    main()
