"""A checkpoint becomes a model of the repository: ONNX, configuration, measured figures and a card, all at once."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from service.app import models_running, new_segmenter
from service.canary import Canary, segment_all
from service.domain import Floats, Pixels
from service.engines.onnx import OnnxEngine
from service.loading import Loaded, given
from service.settings import Settings
from service.telemetry import Metrics
from training.baselines import BASELINES
from training.checkpoint import load_checkpoint
from training.complexity import complexity
from training.config import CANVASES
from training.data.coco import read_split
from training.evaluate import Predict, evaluate
from training.export.card import model_card
from training.export.onnx import export_onnx, write_metadata
from training.export.triton import write_configurations

LICENCE = "MIT for the weights; trained on photographs under their own, mostly non-commercial, terms"
TRAINING_DATA = "1,351 COCO photographs (parts of val2017 among them) and 226 Clothing Co-Parsing photographs"
CANARY_PHOTO = Path(__file__).parent.parent / "docs" / "samples" / "people.jpg"
CANARY_BOXES = [[22.0, 15.0, 365.0, 512.0], [526.0, 18.0, 949.0, 512.0]]
JITTER = 0.1
THREADS = 2


def publish(checkpoint: Path, repository: Path, name: str, version: int, data: Path) -> dict[str, Any]:
    """Export, measure and write ``repository/name``; an existing version is replaced whole.

    Returns:
        The metrics, as written to ``metrics.json``.

    Raises:
        ParityError: ONNX Runtime disagrees with PyTorch.
        FileNotFoundError: no data to measure on.
    """
    model = load_checkpoint(checkpoint)
    config = model.config
    metadata: dict[str, Any] = {
        "variant": config.variant,
        "canvases": CANVASES,
        "resize": "letterbox",
        "roi_size": config.roi_size,
        "mask_size": config.mask_size,
        "class_names": ["background", "target", "other people"],
        "licence": LICENCE,
        "training_data": TRAINING_DATA,
        "config": config.to_dict(),
    }
    staging = repository / f".{name}.partial"
    shutil.rmtree(staging, ignore_errors=True)
    (staging / str(version)).mkdir(parents=True)
    onnx_path = staging / str(version) / "model.onnx"
    difference = export_onnx(model, onnx_path, metadata)
    metrics = measure(onnx_path, data)
    compute = complexity(model)
    metrics |= {"complexity": asdict(compute), "onnx_max_difference": difference}
    metadata["gmac"] = [round(compute.gmac_per_image, 3), round(compute.gmac_per_person, 3)]
    metadata["metrics"] = {
        f"mean IoU on {split}": round(metrics["quality"][split]["ground truth boxes"]["all"], 4)
        for split in metrics["quality"]
    }
    write_metadata(onnx_path, metadata)
    asyncio.run(record_canary(onnx_path, name, version))
    metrics["megabytes"] = onnx_path.stat().st_size / 1e6
    (staging / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    write_configurations(staging, name, onnx_path)
    (staging / "MODEL_CARD.md").write_text(model_card(name, version, config, metrics))
    shutil.rmtree(repository / name, ignore_errors=True)
    staging.rename(repository / name)
    return metrics


async def record_canary(model: Path, name: str, version: int) -> None:
    """Store a picture and the model's masks beside it: a service is ready only if it gives the same."""
    photo = CANARY_PHOTO.read_bytes()
    metrics, settings = Metrics(), Settings(default_variant=name.rpartition("_")[2])
    with ThreadPoolExecutor(1) as workers:
        segmenter = new_segmenter(settings, workers)
        engine = OnnxEngine(model, name, str(version))
        async with models_running(segmenter, settings, metrics, given(Loaded(engine))):
            masks = await segment_all(segmenter, name, photo, CANARY_BOXES)
    Canary(photo, CANARY_BOXES, masks).save(model.parent)


def predictor(path: Path, threads: int = THREADS) -> Predict:
    """Runs an exported file as a service would."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        masks, foreground = session.run(["masks", "binary_masks"], {"images": images, "rois": rois})
        return masks, foreground

    return predict


def measure(path: Path, data: Path) -> dict[str, Any]:
    """Quality on ``val`` and ``ood`` beside the baselines, and speed on this machine."""
    quality: dict[str, Any] = {}
    predict = predictor(path)
    for split in ("val", "ood"):
        photos = read_split(data, split)
        quality[split] = {
            "people": sum(len(photo.people) for photo in photos),
            "ground truth boxes": evaluate(photos, predict).summary(),
            "boxes jittered by 10%": evaluate(photos, predict, JITTER).summary(),
            "baselines": {name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()},
        }
    return {"quality": quality, "speed": speed(predict)}


def speed(predict: Predict, people: Sequence[int] = (1, 4, 16), rounds: int = 15) -> dict[str, float]:
    """Median milliseconds of one 640 x 640 image with so many people, with ``THREADS`` threads."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 3, 640, 640), dtype=np.uint8)
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        # Interleaved, so that a slow moment of the machine falls on all of them.
        for count in people:
            corners = np.sort(rng.uniform(0, 1, (count, 2, 2)), axis=1).reshape(count, 4)
            rois = np.concatenate([np.zeros((count, 1)), corners], axis=1).astype(np.float32)
            started = time.perf_counter()
            predict(image, rois)
            name = "1 person" if count == 1 else f"{count} people"
            times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
    return {name: round(statistics.median(values[1:]), 1) for name, values in times.items()}
