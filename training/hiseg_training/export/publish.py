"""Publishes a checkpoint as a version in a model repository: ONNX file, configuration, measured figures and card."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.core.coco_file import PERSON
from hiseg.engines.metadata import one_line
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.canary import Canary, segment_to_label_map
from hiseg.models.random_inputs import random_rois
from hiseg.models.running import engine_running, new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings
from hiseg_training.config.model import ModelConfig
from hiseg_training.data.coco import CocoSet, Photo
from hiseg_training.data.skipped import Tell, silent
from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
from hiseg_training.evaluation.baselines import BASELINES
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.evaluation.evaluate import evaluate, foreground_without_boxes
from hiseg_training.export.card import model_card
from hiseg_training.export.forms import Precision
from hiseg_training.export.install import Contract, check_contract, check_place, contract_of, contract_to_be, install
from hiseg_training.export.onnx import ExportOptions, read_metadata, write_metadata
from hiseg_training.export.provenance import Provenance
from hiseg_training.export.write import check_photos, write_model
from hiseg_training.inference.runner import Predict, Runner, open_onnx
from hiseg_training.models.hierarchical import HierarchicalModel

CANARY_PHOTO = resources.files("hiseg.transports.http.playground") / "assets" / "people.jpg"
"""The playground's sample image: part of the installed package, so that models can be published without a checkout."""
CANARY_BOXES = [[22.0, 15.0, 365.0, 512.0], [526.0, 18.0, 949.0, 512.0]]
CHECKPOINT = "checkpoint.pth"
"""File of the weights in half precision, to continue training from."""
JITTER = 0.1
THREADS = 2


def publish(
    source: Path,
    repository: Path,
    name: str,
    version: int,
    sets: Mapping[str, CocoSet],
    *,
    categories: Collection[str] = (PERSON,),
    calibration: CocoSet | None = None,
    replace: bool = False,
    precision: Precision | None = None,
    provenance: Provenance | None = None,
    tell: Tell = silent,
) -> dict[str, Any]:
    """Export and measure a model, and install it as ``repository/name/version`` in one step.

    All that may be wrong with what is given is found before the export, which takes minutes.

    Args:
        source: a checkpoint, or an ``.onnx`` file that was exported from one.
        repository: folder of models that services and Triton read.
        name: of the model.
        version: its number.
        sets: what to measure on, by the names that figures have of them.
        categories: names of the categories that are people.
        calibration: photos to calibrate INT8 on; None for other precisions.
        replace: replace a version of that number.
        precision: of a checkpoint's export; None is FP32. An exported file already has one.
        provenance: origin for metadata and card; None keeps the file's metadata and leaves the card without.
        tell: gets a line for what was read of the photos, one for each reason why something was left out, and one
            before each step that takes long.

    Returns:
        The metrics, as written to ``metrics.json``.

    Raises:
        InstallError: the name is none, the version exists, other versions have another contract, or this user can't
            write there.
        FileNotFoundError: the source or an image does not exist.
        ModelError: the source is no checkpoint, or no exported file that keeps the tensor contract.
        AnnotationError: annotations can't be understood, or in no image everybody is outlined.
        ValueError: an exported file lacks metadata, a precision is asked of it, or photos for INT8 are too few.
        ParityError: ONNX Runtime disagrees with PyTorch, or a lower precision with FP32.
    """
    check_place(repository, name, version, replace)
    model, contract = _open_source(source, name, precision)
    check_contract(contract, repository, name, version)
    photos = {split: each.read_outlined(categories, tell) for split, each in sets.items()}
    to_calibrate = calibration.read(categories, tell) if calibration else []
    check_photos(precision or Precision.FP32, to_calibrate)
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        path = built / "model.onnx"
        if model is None:
            shutil.copy(source, path)
        else:
            tell(f"exporting {source}")
            write_model(model, path, ExportOptions(), precision or Precision.FP32, to_calibrate)
            save_checkpoint(built / CHECKPOINT, model, {"published as": f"{name} {version}"}, half=True)
        metadata: dict[str, Any] = read_metadata(path) | (provenance.facts() if provenance else {})
        config = read_config(source, metadata)
        compute = complexity(HierarchicalModel(config))
        metadata["gmac"] = [round(compute.gmac_per_image, 3), round(compute.gmac_per_person, 3)]
        difference = metadata.get("onnx_max_difference")
        metrics = measure(path, photos, tell) | {
            "complexity": asdict(compute),
            "precision": metadata.get("precision", Precision.FP32.value),
            "onnx_max_difference": None if difference is None else float(difference),
        }
        for split, each in sets.items():
            metrics["quality"][split]["annotations"] = each.annotations.name
        metadata["metrics"] = {
            f"mean IoU on {split}": round(metrics["quality"][split]["ground truth boxes"]["all"], 4)
            for split in metrics["quality"]
        }
        write_metadata(path, metadata)
        asyncio.run(record_canary(path, name, version, tell))
        metrics["megabytes"] = path.stat().st_size / 1e6
        (built / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        card = model_card(name, version, config, json.loads(metadata["canvases"]), metrics, provenance)
        (built / "MODEL_CARD.md").write_text(card)
        install(built, repository, name, version, replace)
    return metrics


def _open_source(source: Path, name: str, precision: Precision | None) -> tuple[HierarchicalModel | None, Contract]:
    """Return the model of a checkpoint, None of an exported file, and the contract that either will have."""
    if source.suffix != ".onnx":
        model = load_checkpoint(source)
        return model, contract_to_be(model.config, ExportOptions())
    if precision is not None:
        raise ValueError(f"precision: {source} is published as it is; `export` gives it another precision")
    open_cpu_runner(source)  # which says what is wrong with it
    read_config(source, read_metadata(source))
    return None, contract_of(source, name)


def read_config(source: Path, metadata: Mapping[str, str]) -> ModelConfig:
    """Return the configuration in the metadata of an exported file.

    Raises:
        ValueError: it isn't there, or isn't one of this program's; or the canvases aren't there.
    """
    if missing := {"config", "canvases"} - metadata.keys():
        raise ValueError(f"{source}: it doesn't say its {', '.join(sorted(missing))}, as files of `export` do")
    try:
        return ModelConfig.from_dict(json.loads(metadata["config"]))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{source}: the config in its metadata is none of this program's: {one_line(error)}"
        ) from error


async def record_canary(model: Path, name: str, version: int, tell: Tell = silent) -> None:
    """Store an image and the model's masks of it beside the model: a service is ready only if it gets the same."""
    photo = CANARY_PHOTO.read_bytes()
    # The defaults, whatever a file of settings here or variables say: they are those of no particular service.
    settings = Settings.model_construct()
    with ThreadPoolExecutor(1) as workers, closing(OnnxEngine(model, name, str(version))) as engine:
        segmenter = new_segmenter(settings, workers)
        async with engine_running(segmenter, engine, settings, Metrics()):
            masks = await segment_to_label_map(segmenter, name, photo, CANARY_BOXES)
    if empty := len(CANARY_BOXES) - len(set(np.unique(masks).tolist()) - {0}):
        tell(f"  {name} finds nobody in {empty} of {len(CANARY_BOXES)} boxes of the photo that services test it by")
    Canary(photo, CANARY_BOXES, masks).save(model.parent)


def open_cpu_runner(path: Path, threads: int = THREADS) -> Runner:
    """Open an exported file in ONNX Runtime on the CPU, as the service does."""
    return open_onnx(path, ["CPUExecutionProvider"], threads)


def measure(path: Path, splits: Mapping[str, Sequence[Photo]], tell: Tell = silent) -> dict[str, Any]:
    """Measure a model's quality beside the baselines, and its speed on this machine.

    Args:
        path: the exported file.
        splits: the photos to measure on, by the names of their splits; everybody in them has an outline.
        tell: gets a line before each of them.

    Returns:
        The figures by name, as they stand in ``metrics.json``.
    """
    quality: dict[str, Any] = {}
    runner = open_cpu_runner(path)
    for split, photos in splits.items():
        people = sum(len(photo.people) for photo in photos)
        tell(f"measuring on {split}: {people:,} people in {len(photos):,} images")
        quality[split] = {
            "people": people,
            "images": len(photos),
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
