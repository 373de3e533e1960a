"""Runs NVIDIA's ``perf_analyzer`` against a server, to measure how many batches a second the server can run."""

from __future__ import annotations

import base64
import csv
import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks.harness.triton.environment import ENVIRONMENT, LIBRARIES, variables
from hiseg.engines.base import Batch

LINKS = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}
"""It asks for these by their plain names."""
WINDOW_MS = 2000


def batches_per_second(address: str, model: str, batch: Batch, in_flight: int) -> float:
    """The same batch again and again, its tensors in shared memory from the start.

    Args:
        address: host and port of gRPC.
        model: all outputs of which are asked for.
        batch: what is sent.
        in_flight: requests at once.
    """
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name, pattern in LINKS.items():
            (folder / name).symlink_to(next(LIBRARIES.glob(pattern)))
        tensors = {
            name: {"content": {"b64": base64.b64encode(value.tobytes()).decode()}, "shape": list(value.shape)}
            for name, value in (("images", batch.images), ("rois", batch.rois))
        }
        (folder / "data.json").write_text(json.dumps({"data": [tensors]}))
        own = variables()
        command = [
            *(ENVIRONMENT / "bin" / "perf_analyzer", "-m", model, "-u", address, "-i", "grpc"),
            *("--input-data", folder / "data.json", "--shared-memory", "system"),
            *(f"--output-shared-memory-size={largest_output(batch)}", "-f", folder / "found.csv"),
            *("--concurrency-range", str(in_flight), "--measurement-interval", str(WINDOW_MS)),
            # Three windows, however much they differ: the machine is shared, and a median of several runs is taken.
            *("--stability-percentage", "999", "--max-trials", "3"),
        ]
        done = subprocess.run(
            command,
            env=own | {"LD_LIBRARY_PATH": f"{folder}:{own['LD_LIBRARY_PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        if not (folder / "found.csv").exists():
            raise RuntimeError(f"perf_analyzer: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        with (folder / "found.csv").open() as file:
            return float(next(csv.DictReader(file))["Inferences/Second"])


def largest_output(batch: Batch) -> int:
    """Bytes of the larger output of a batch."""
    height, width = batch.images.shape[2:]
    return max(4 * len(batch.images) * height * width, 4 * len(batch.rois) * 3 * 128 * 96)
