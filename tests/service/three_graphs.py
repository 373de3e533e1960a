"""A repository with one small graph of each kind, and a picture of three people whom they find: whoever is red."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import PIL.Image

from benchmarks.harness.paths import HISEG
from benchmarks.harness.serving import SERVE, Server, serving
from benchmarks.harness.triton.models import targets_of
from benchmarks.harness.triton.server import triton
from hiseg.engines.base import Outputs
from tests.service.engines.upstream_files import UpstreamFile

CANVAS, MASK, SIZE = (96, 128), (32, 24), (192, 256)
"""Of the models, of their masks and of the picture, (height, width)."""
KINDS = {"hiseg_b0": Outputs.MASKS, "hiseg_b1": Outputs.BOTH, "hiseg_foreground": Outputs.FOREGROUND}
BOXES = [[20.0, 20.0, 90.0, 150.0], [70.0, 60.0, 140.0, 170.0]]
"""Of the first two people, who overlap; the third has none."""
PEOPLE = [(30, 40, 76, 140), (66, 70, 130, 160), (170, 30, 240, 150)]


def file_of(outputs: Outputs) -> UpstreamFile:
    """A graph that computes this."""
    return UpstreamFile(canvas=CANVAS, mask=MASK, outputs=outputs)


def repository_of_all(folder: Path) -> Path:
    """The three, with the configurations that Triton needs."""
    for name, outputs in KINDS.items():
        file_of(outputs).save(folder / name / "1" / "model.onnx")
        inputs = [f'{{ name: "images" data_type: TYPE_FP32 dims: [ -1, 3, {CANVAS[0]}, {CANVAS[1]} ] }}']
        made = []
        if Outputs.MASKS in outputs:
            inputs.append('{ name: "rois" data_type: TYPE_FP32 dims: [ -1, 5 ] }')
            made.append(f'{{ name: "masks" data_type: TYPE_FP32 dims: [ -1, 3, {MASK[0]}, {MASK[1]} ] }}')
        if Outputs.FOREGROUND in outputs:
            made.append(f'{{ name: "binary_masks" data_type: TYPE_FP32 dims: [ -1, 1, {CANVAS[0]}, {CANVAS[1]} ] }}')
        (folder / name / "config.pbtxt").write_text(
            f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
            f"input [ {', '.join(inputs)} ]\noutput [ {', '.join(made)} ]\ninstance_group [ {{ kind: KIND_CPU }} ]\n"
        )
    return folder


def picture() -> bytes:
    """The people in red before blue, as PNG."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[:] = (20, 40, 200)
    for x1, y1, x2, y2 in PEOPLE:
        pixels[y1:y2, x1:x2] = (230, 10, 10)
    written = io.BytesIO()
    PIL.Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


@contextmanager
def served_by(engine: str, repository: Path, models: Iterable[str] = KINDS) -> Iterator[Server]:
    """The service with models of a repository, on the engine ``onnx`` or on a real ``triton`` that has them all."""
    if engine == "onnx":
        with serving((*SERVE[:-1], repository)) as started:
            yield started
        return
    with triton(repository) as there:
        command = (HISEG, "serve", "--port", "0", "--grpc-port", "0", "--repository", repository)
        with serving(command, engine=targets_of(there)) as started:
            # A service on Triton is ready with its default model; the others come a moment later.
            for name in models:
                while httpx.get(f"{started.url}/v2/models/{name}/ready").status_code != 200:
                    time.sleep(0.05)
            yield started
