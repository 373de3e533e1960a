"""Publishes a checkpoint as a version in a model repository: ONNX file, configuration, measured figures and card."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.engines.onnx import OnnxEngine
from hiseg.models.canary import Canary, segment_to_label_map
from hiseg.models.loader import LoadedModel, preloaded
from hiseg.models.random_inputs import random_rois
from hiseg.models.running import models_running, new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings
from hiseg_training.config.model import ModelConfig
from hiseg_training.data.coco import Photo, read_split, split_file, with_outlines
from hiseg_training.data.skipped import Tell, silent
from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
from hiseg_training.evaluation.baselines import BASELINES
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.evaluation.evaluate import evaluate, foreground_without_boxes
from hiseg_training.export.card import model_card
from hiseg_training.export.install import install
from hiseg_training.export.onnx import ExportOptions, read_metadata, write_metadata
from hiseg_training.export.precision import Precision
from hiseg_training.export.provenance import Provenance
from hiseg_training.export.write import write_model
from hiseg_training.inference.runner import Predict, Runner, open_onnx
from hiseg_training.models.hierarchical import HierarchicalModel

CANARY_PHOTO = resources.files("hiseg.transports.http.playground") / "assets" / "people.jpg"
"""The playground's sample image: part of the installed package, so that models can be published without a checkout."""
CANARY_BOXES = [[22.0, 15.0, 365.0, 512.0], [526.0, 18.0, 949.0, 512.0]]
CHECKPOINT = "checkpoint.pth"
"""File of the weights in half precision, to continue training from."""
SPLITS = ("val", "ood")
"""What models are measured on."""
JITTER = 0.1
THREADS = 2


def publish(
    source: Path,
    repository: Path,
    name: str,
    version: int,
    data: Path,
    replace: bool = False,
    precision: Precision | None = None,
    provenance: Provenance | None = None,
    tell: Tell = silent,
) -> dict[str, Any]:
    """Export and measure a model, and install it as ``repository/name/version`` in one step.

    Args:
        source: a checkpoint, or an ``.onnx`` file that was exported from one.
        repository: folder of models that services and Triton read.
        name: of the model.
        version: its number.
        data: data root of the photos to measure on.
        replace: replace a version of that number.
        precision: of a checkpoint's export; None is FP32. An exported file already has one.
        provenance: origin for metadata and card; None keeps the file's metadata and leaves the card without.
        tell: gets a line for what was read of the photos, and one for each reason why something was left out.

    Returns:
        The metrics, as written to ``metrics.json``.

    Raises:
        ParityError: ONNX Runtime disagrees with PyTorch, or a lower precision with FP32.
        FileNotFoundError: there are no photos to measure on.
        AnnotationError: their annotations can't be understood, or nobody is outlined in them.
        ValueError: an exported file lacks metadata, or a precision is asked of it.
        ModelError: an exported file can't be opened, or breaks the tensor contract.
        InstallError: the version exists, or other versions have another contract.
    """
    if source.suffix == ".onnx":
        if precision is not None:
            raise ValueError(f"precision: {source} is published as it is; `export` gives it another precision")
        open_cpu_runner(source)  # which says what is wrong with it
        model = None
    else:
        model = load_checkpoint(source)
    # Before the export, since that takes minutes.
    photos = {
        split: with_outlines(read_split(data, split, tell=tell), split_file(data, split), tell) for split in SPLITS
    }
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        path = built / "model.onnx"
        if model is None:
            shutil.copy(source, path)
        else:
            write_model(model, path, ExportOptions(), precision or Precision.FP32, data)
            save_checkpoint(built / CHECKPOINT, model, {"published as": f"{name} {version}"}, half=True)
        metadata: dict[str, Any] = read_metadata(path) | (provenance.facts() if provenance else {})
        if missing := {"config", "canvases"} - metadata.keys():
            raise ValueError(f"{source}: it doesn't say its {', '.join(sorted(missing))}, as files of `export` do")
        config = ModelConfig.from_dict(json.loads(metadata["config"]))
        compute = complexity(HierarchicalModel(config))
        metadata["gmac"] = [round(compute.gmac_per_image, 3), round(compute.gmac_per_person, 3)]
        difference = metadata.get("onnx_max_difference")
        metrics = measure(path, photos) | {
            "complexity": asdict(compute),
            "precision": metadata.get("precision", Precision.FP32.value),
            "onnx_max_difference": None if difference is None else float(difference),
        }
        metadata["metrics"] = {
            f"mean IoU on {split}": round(metrics["quality"][split]["ground truth boxes"]["all"], 4)
            for split in metrics["quality"]
        }
        write_metadata(path, metadata)
        asyncio.run(record_canary(path, name, version))
        metrics["megabytes"] = path.stat().st_size / 1e6
        (built / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        (built / "MODEL_CARD.md").write_text(model_card(name, version, config, metrics, provenance))
        install(built, repository, name, version, replace)
    return metrics


async def record_canary(model: Path, name: str, version: int) -> None:
    """Store an image and the model's masks of it beside the model: a service is ready only if it gets the same."""
    photo = CANARY_PHOTO.read_bytes()
    chosen: dict[str, Any] = {"default_variant": name.rpartition("_")[2]}
    metrics, settings = Metrics(), Settings(**chosen)
    with ThreadPoolExecutor(1) as workers:
        segmenter = new_segmenter(settings, workers)
        engine = OnnxEngine(model, name, str(version))
        async with models_running(segmenter, settings, metrics, preloaded(LoadedModel(engine))):
            masks = await segment_to_label_map(segmenter, name, photo, CANARY_BOXES)
    Canary(photo, CANARY_BOXES, masks).save(model.parent)


def open_cpu_runner(path: Path, threads: int = THREADS) -> Runner:
    """Open an exported file in ONNX Runtime on the CPU, as the service does."""
    return open_onnx(path, ["CPUExecutionProvider"], threads)


def measure(path: Path, splits: Mapping[str, Sequence[Photo]]) -> dict[str, Any]:
    """Measure a model's quality beside the baselines, and its speed on this machine.

    Args:
        path: the exported file.
        splits: the photos to measure on, by the names of their splits; everybody in them has an outline.

    Returns:
        The figures by name, as they stand in ``metrics.json``.
    """
    quality: dict[str, Any] = {}
    runner = open_cpu_runner(path)
    for split, photos in splits.items():
        quality[split] = {
            "people": sum(len(photo.people) for photo in photos),
            "ground truth boxes": evaluate(photos, runner).summary(),
            "boxes jittered by 10%": evaluate(photos, runner, JITTER).summary(),
            "baselines": {name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()},
        }
        alone = foreground_without_boxes(photos, runner)
        if alone is not None:
            quality[split]["ground truth boxes"]["foreground, no boxes told"] = alone
    return {"quality": quality, "speed": speed(runner.predict)}


def speed(predict: Predict, people: Sequence[int] = (1, 4, 16), rounds: int = 15) -> dict[str, float]:
    """Measure the median time of a run on one image of 640 x 640.

    Args:
        predict: the model.
        people: numbers of RoIs to measure.
        rounds: runs for each number, of which the first is dropped.

    Returns:
        Milliseconds, by number of people.
    """
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 3, 640, 640), dtype=np.uint8)
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        # Interleaved, so that a slow moment of the machine falls on all of them.
        for count in people:
            rois = random_rois(rng, count)
            started = time.perf_counter()
            predict(image, rois)
            name = "1 person" if count == 1 else f"{count} people"
            times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
    return {name: round(statistics.median(values[1:]), 1) for name, values in times.items()}
