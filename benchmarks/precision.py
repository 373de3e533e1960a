"""Compares FP32, FP16 and INT8 of one model.

Run it by ``python -m benchmarks.precision [MODEL] [--photos N] [--openvino PYTHON]``, MODEL in FP32 or FP16; the other
precisions are made of it. It measures milliseconds on ONNX
Runtime's CPU provider, and on its OpenVINO provider if ``--openvino`` names the Python of an environment that has
``onnxruntime-openvino``; megabytes; and mean IoU on ``val``. The precisions take turns, so that a slow moment of the
machine affects all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from benchmarks.harness.repository import B0
from hiseg.core.image import Floats, Pixels
from hiseg.engines.onnx_file import weights_of
from hiseg.models.random_inputs import random_rois
from hiseg_training.data.coco import data_root, read_split
from hiseg_training.evaluation.evaluate import evaluate
from hiseg_training.export.forms import Precision
from hiseg_training.export.measure import THREADS, open_cpu_runner
from hiseg_training.export.onnx import read_metadata, simplify_graph, write_metadata
from hiseg_training.export.write import convert

PEOPLE = (1, 4, 16)
ROUNDS = 15
ON_OPENVINO = """
import json, sys, time, statistics, numpy, onnxruntime
given, times, settings = dict(numpy.load(sys.argv[1])), {}, {"device_type": "CPU", "num_of_threads": sys.argv[2]}
providers = [("OpenVINOExecutionProvider", settings)]
models = {path: onnxruntime.InferenceSession(path, providers=providers) for path in sys.argv[4:]}
for turn in range(int(sys.argv[3])):
    for path, model in models.items():
        assert model.get_providers()[0] == "OpenVINOExecutionProvider"
        for people in (1, 4, 16):
            started = time.perf_counter()
            model.run(None, {"images": given["images"], "rois": given[f"rois{people}"]})
            times.setdefault(f"{path} {people}", []).append((time.perf_counter() - started) * 1000)
print(json.dumps({name: statistics.median(values[2:]) for name, values in times.items()}))
"""


def inputs() -> tuple[Pixels, dict[int, Floats]]:
    """An image of noise on 640 x 640, and rows of so many people."""
    rng = np.random.default_rng(0)
    rois = {people: random_rois(rng, people) for people in PEOPLE}
    return rng.integers(0, 256, (1, 3, 640, 640), dtype=np.uint8), rois


def on_onnx_runtime(files: dict[Precision, Path]) -> dict[Precision, list[float]]:
    """Median milliseconds by number of people."""
    images, rois = inputs()
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    sessions = {p: ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for p, path in files.items()}
    times: dict[tuple[Precision, int], list[float]] = {}
    for _ in range(ROUNDS):
        for precision, session in sessions.items():
            for people in PEOPLE:
                started = time.perf_counter()
                session.run(None, {"images": images, "rois": rois[people]})
                times.setdefault((precision, people), []).append((time.perf_counter() - started) * 1000)
    return {p: [statistics.median(times[p, people][2:]) for people in PEOPLE] for p in files}


def on_openvino(python: str, files: dict[Precision, Path], folder: Path) -> dict[Precision, list[float]]:
    """The same on the OpenVINO provider, in the environment of that Python."""
    images, rois = inputs()
    given = folder / "given.npz"
    np.savez(given, images=images, **{f"rois{people}": rows for people, rows in rois.items()})
    numbers = [str(given), str(THREADS), str(ROUNDS)]
    command = [python, "-c", ON_OPENVINO, *numbers, *map(str, files.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times = json.loads(done.stdout.splitlines()[-1])
    return {p: [times[f"{path} {people}"] for people in PEOPLE] for p, path in files.items()}


def in_fp32_and_fp16(model: Path, folder: Path) -> dict[Precision, Path]:
    """A model's file under the precision that its weights are stored in, and what is made of it in the other one.

    Args:
        model: a file in FP32 or FP16.
        folder: where the other one is written.
    """
    stored = weights_of(model)
    if stored == Precision.FP32:
        convert(model, folder / "fp16.onnx", Precision.FP16)
        return {Precision.FP32: model, Precision.FP16: folder / "fp16.onnx"}
    if stored != Precision.FP16:
        raise SystemExit(f"{model} is in {stored or 'an unknown precision'}; name a file in fp32 or fp16")
    single = folder / "fp32.onnx"
    onnx.save(simplify_graph(onnx.load(model)), single)  # which folds what makes FP32 of each weight
    write_metadata(single, read_metadata(single) | {"precision": Precision.FP32.value})
    return {Precision.FP32: single, Precision.FP16: model}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path, default=B0)
    parser.add_argument("--photos", type=int, default=None, help="so many of val only")
    parser.add_argument("--openvino", metavar="PYTHON", help="of an environment that has onnxruntime-openvino")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = in_fp32_and_fp16(arguments.model, folder)
        files[Precision.INT8] = folder / "int8.onnx"
        photos = read_split(data_root(), "train")
        print(f"{arguments.model} is in {weights_of(arguments.model)}")
        print("int8:", convert(files[Precision.FP32], files[Precision.INT8], Precision.INT8, photos))
        tables = {"ONNX Runtime": on_onnx_runtime(files)}
        if arguments.openvino:
            tables["OpenVINO"] = on_openvino(arguments.openvino, files, folder)
        photos = read_split(data_root(), "val")[: arguments.photos]
        for precision, path in files.items():
            quality = evaluate(photos, open_cpu_runner(path)).summary()
            print(f"{precision}: {path.stat().st_size / 1e6:.1f} MB, mIoU {quality['all']:.4f}")
            for where, table in tables.items():
                print(f"  {where}, ms: " + ", ".join(f"{ms:.0f}" for ms in table[precision]))


if __name__ == "__main__":
    main()
