"""Publishes a checkpoint as a version in a model repository: ONNX files, configuration, measured figures and card."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
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
from hiseg.engines.onnx_file import weights_of
from hiseg.models.canary import Canary, segment_to_label_map
from hiseg.models.running import engine_running, new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings
from hiseg_training.config.model import ModelConfig
from hiseg_training.data.coco import CocoSet, Photo
from hiseg_training.data.eval_dataset import FIXED_PEOPLE, some_photos
from hiseg_training.data.skipped import Tell, silent
from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.export.card import model_card
from hiseg_training.export.forms import Graph, Precision
from hiseg_training.export.install import Contract, check_contract, check_place, contract_of, contract_to_be, install
from hiseg_training.export.int8 import add_int8
from hiseg_training.export.measure import headline, measure, measured_headline, open_cpu_runner
from hiseg_training.export.onnx import ExportOptions, read_metadata, write_metadata
from hiseg_training.export.provenance import Provenance
from hiseg_training.export.write import check_photos, convert, write_model
from hiseg_training.inference.runner import Runner
from hiseg_training.models.hierarchical import HierarchicalModel

CANARY_PHOTO = resources.files("hiseg.transports.http.playground") / "assets" / "people.jpg"
"""The playground's sample image: part of the installed package, so that models can be published without a checkout."""
CANARY_BOXES = [[22.0, 15.0, 365.0, 512.0], [526.0, 18.0, 949.0, 512.0]]
CHECKPOINT = "checkpoint.pth"
"""File of the weights in half precision, to continue training from."""


def publish(
    source: Path,
    repository: Path,
    name: str,
    version: int,
    sets: Mapping[str, CocoSet],
    *,
    categories: Collection[str] = (PERSON,),
    training: CocoSet | None = None,
    replace: bool = False,
    precision: Precision | None = None,
    graph: Graph | None = None,
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
        training: the training data, which INT8 is calibrated on and the fit is measured on; None does without both.
        replace: replace a version of that number.
        precision: FP32 or FP16, of ``model.onnx``; None is FP32 of a checkpoint, and what an exported file has.
        graph: what a checkpoint's file computes; None is masks.
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
        ValueError: an exported file lacks metadata, a form is asked of it, or photos for INT8 are too few.
        ParityError: ONNX Runtime disagrees with PyTorch, or a lower precision with FP32.
    """
    check_place(repository, name, version, replace)
    model, contract = _open_source(source, name, precision, graph)
    check_contract(contract, repository, name, version)
    photos = {split: each.read_outlined(categories, tell) for split, each in sets.items()}
    learnt = training.read(categories, tell) if training else []
    if training:
        check_photos(Precision.INT8, learnt)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as workshop:
        built, exported = Path(folder), Path(workshop) / "exported.onnx"
        path = built / "model.onnx"
        if model is None:
            shutil.copy(source, exported)
            shutil.copy(source, path)
        else:
            tell(f"exporting {source}")
            write_model(model, exported, ExportOptions(graph or Graph.MASKS), Precision.FP32)
            if precision is Precision.FP16:
                convert(exported, path, Precision.FP16)
            else:
                shutil.copy(exported, path)
            save_checkpoint(built / CHECKPOINT, model, {"published as": f"{name} {version}"}, half=True)
        metadata: dict[str, Any] = read_metadata(path) | (provenance.facts() if provenance else {})
        config, runner = read_config(source, metadata), open_cpu_runner(path)
        compute = complexity(HierarchicalModel(config), masks=runner.has_masks, foreground=runner.has_foreground)
        metadata["gmac"] = [round(compute.gmac_per_image, 3), round(compute.gmac_per_person, 3)]
        difference = metadata.get("onnx_max_difference")
        made = weights_of(path) or metadata.get("precision", Precision.FP32.value)
        metrics = {"quality": measure(runner, photos, tell)} | _fit(runner, learnt, photos, tell)
        headlines = {split: measured_headline(figures) for split, figures in metrics["quality"].items()}
        calibration = [] if made == Precision.INT8 else learnt
        metrics["precisions"] = add_int8(exported, built, made, headlines, photos, calibration, tell)
        metrics |= {
            "speed": metrics["precisions"][made]["ms"],
            "complexity": asdict(compute),
            "precision": made,
            "onnx_max_difference": None if difference is None else float(difference),
        }
        for split, each in sets.items():
            metrics["quality"][split]["annotations"] = each.annotations.name
        of_masks = runner.has_masks
        metadata["metrics"] = {
            f"mean IoU on {split}" if of_masks else f"foreground IoU on {split}": round(figure, 4)
            for split, figure in headlines.items()
            if figure is not None
        }
        for file in built.glob("*.onnx"):
            write_metadata(file, metadata | {"precision": weights_of(file) or made})
        asyncio.run(record_canary(path, name, version, CANARY_BOXES if of_masks else [], tell))
        metrics["megabytes"] = path.stat().st_size / 1e6
        (built / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        card = model_card(name, version, config, json.loads(metadata["canvases"]), metrics, provenance)
        (built / "MODEL_CARD.md").write_text(card)
        install(built, repository, name, version, replace)
    return metrics


def _fit(runner: Runner, learnt: Sequence[Photo], photos: Mapping[str, Sequence[Photo]], tell: Tell) -> dict[str, Any]:
    """Return what the model makes of people that it learnt from, unaugmented; nothing where there are none with masks.

    Far more than on other people, and it learnt them by heart; about the same, and it could learn more.
    """
    outlined = [photo for photo in learnt if photo.outlined]
    some = some_photos(outlined, FIXED_PEOPLE)
    figure = headline(runner, some) if some else None
    if figure is None:
        return {}
    people = sum(len(photo.people) for photo in some)
    tell(f"{people:,} people of the training data: {figure:.4f}")
    return {"training data": {"people": people, "images": len(some), "figure": figure}}


def _open_source(
    source: Path, name: str, precision: Precision | None, graph: Graph | None
) -> tuple[HierarchicalModel | None, Contract]:
    """Return the model of a checkpoint, None of an exported file, and the contract that either will have."""
    if precision is Precision.INT8:
        raise ValueError("precision: model.onnx is fp32 or fp16; int8 is made beside it, where that is worth it")
    if source.suffix != ".onnx":
        model = load_checkpoint(source)
        return model, contract_to_be(model.config, ExportOptions(graph or Graph.MASKS))
    if precision is not None or graph is not None:
        raise ValueError(f"precision, graph: {source} is published as it is; `export` gives it another form")
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


async def record_canary(model: Path, name: str, version: int, boxes: list[list[float]], tell: Tell = silent) -> None:
    """Store an image and the model's masks of it beside the model: a service is ready only if it gets the same.

    Args:
        model: the ``.onnx`` file.
        name: name of the model.
        version: its version.
        boxes: people in the photo, ``x1 y1 x2 y2`` in pixels; none: everybody is asked for without boxes.
        tell: told of how many boxes the model finds nobody in.
    """
    photo = CANARY_PHOTO.read_bytes()
    # The defaults, whatever a file of settings here or variables say: they are those of no particular service.
    settings = Settings.model_construct()
    with ThreadPoolExecutor(1) as workers, closing(OnnxEngine(model, name, str(version))) as engine:
        segmenter = new_segmenter(settings, workers)
        async with engine_running(segmenter, engine, settings, Metrics()):
            masks = await segment_to_label_map(segmenter, name, photo, boxes)
    empty = len(boxes) - len(set(np.unique(masks).tolist()) - {0})
    if boxes and empty:
        tell(f"  {name} finds nobody in {empty} of {len(boxes)} boxes of the photo that services test it by")
    Canary(photo, boxes, masks).save(model.parent)
