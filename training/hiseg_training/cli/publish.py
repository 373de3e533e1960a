"""``hiseg-train publish``: from a checkpoint to a version in a model repository."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiseg.cli.numbers import whole_number
from hiseg_training.cli.calibration import CalibrationAnnotations
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import (
    Category,
    Data,
    Images,
    ProvenanceFile,
    ValAnnotations,
    latest_match,
    people_names,
    tell,
)
from hiseg_training.export.forms import Graph, Precision

if TYPE_CHECKING:
    from hiseg_training.data.coco import CocoSet

OodAnnotations = Annotated[
    Path | None,
    typer.Option(help="a second COCO file to measure on, of other photos", metavar="FILE", show_default="none"),
]

MAX_VERSION = 2**63 - 1
"""The largest that Triton reads."""


def publish(
    checkpoints: Annotated[
        list[str],
        typer.Argument(metavar="CHECKPOINT", help="or an exported .onnx; of several, or a pattern, the newest"),
    ],
    name: Annotated[str, typer.Option(help="the model's name, e.g. my_model: letters, digits, _ and -")],
    data: Data,
    val_ann: ValAnnotations = None,
    val_images: Images = None,
    ood_ann: OodAnnotations = None,
    ood_images: Images = None,
    category: Category = None,
    repository: Annotated[Path, typer.Option(help="folder of models; made if there is none")] = Path(
        "model_repository"
    ),
    version: Annotated[
        int | None,
        whole_number("number of the version", min=1, max=MAX_VERSION, show_default="one more than the newest"),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="take the place of a version of that number")] = False,
    precision: Annotated[
        Precision | None, typer.Option(help="of model.onnx: fp32, or fp16, half as large", show_default="fp32")
    ] = None,
    graph: Annotated[
        Graph | None, typer.Option(help="what a checkpoint's file computes", show_default=Graph.MASKS.value)
    ] = None,
    train_ann: CalibrationAnnotations = None,
    train_images: Images = None,
    provenance: ProvenanceFile = None,
) -> None:
    """Export a checkpoint or take an exported .onnx, measure it, and put it into a repository that may be served.

    It is measured on --val-ann, and on --ood-ann if that is given; without files on val and ood of the data.
    """
    from hiseg_training.export.install import next_version, shared_variant
    from hiseg_training.export.provenance import read_provenance
    from hiseg_training.export.publish import publish as publish_model

    with cli_errors():
        first, *others = checkpoints
        source = latest_match(first, "checkpoint", others)
        number = version or next_version(repository, name)
        metrics = publish_model(
            source,
            repository,
            name,
            number,
            measured_sets(val_ann, val_images, ood_ann, ood_images, data),
            categories=people_names(category),
            training=training_set(train_ann, train_images, data, own=val_ann is not None),
            replace=replace,
            precision=precision,
            graph=graph,
            provenance=read_provenance(provenance),
            tell=tell,
        )
    for name_of, figures in metrics["precisions"].items():
        said = ", ".join(f"{split} {figures[split]:.4f}" for split in metrics["quality"] if figures[split] is not None)
        times = ", ".join(f"{case} {ms:.1f} ms" for case, ms in figures["ms"].items())
        typer.echo(f"{name_of}: {said}; {times}; {figures['bytes'] / 1e6:.1f} MB")
    typer.echo(f"wrote {repository / name / str(number)}")
    for sentence in shared_variant(repository, name):
        typer.echo(sentence)
    served = shlex.join(["--repository", str(repository), "--model", name])
    asked = "--box x1,y1,x2,y2" if metrics["complexity"]["gmac_per_person"] else "--mode binary"
    typer.echo(f"try it: hiseg run PHOTO {asked} -o OUT.png {served}")


def training_set(train_ann: Path | None, train_images: Path | None, data: Path, own: bool) -> CocoSet | None:
    """Return the training data that INT8 is calibrated on: the named file, or the data's; None if there is none.

    Args:
        train_ann: the named file.
        train_images: folder of its images.
        data: folder of splits.
        own: whether the model is measured on files of the caller's, and the data are not what it learnt from.

    Raises:
        FileNotFoundError, ValueError: as :func:`coco_set`.
    """
    from hiseg_training.data.coco import coco_set, split_file

    if train_ann or train_images or (split_file(data, "train").is_file() and not own):
        return coco_set(train_ann, train_images, data, "train")
    tell("no INT8 file is made: no --train-ann says what to calibrate it on")
    return None


def measured_sets(
    val_ann: Path | None, val_images: Path | None, ood_ann: Path | None, ood_images: Path | None, data: Path
) -> dict[str, CocoSet]:
    """Return what a model is to be measured on: the named files, or the data's splits, of which ``ood`` may be missing.

    Raises:
        FileNotFoundError, ValueError: as :func:`coco_set`.
    """
    from hiseg_training.data.coco import coco_set, split_file

    sets = {"val": coco_set(val_ann, val_images, data, "val")}
    there = split_file(data, "ood").is_file()
    if ood_ann or ood_images or (val_ann is None and there):
        sets["ood"] = coco_set(ood_ann, ood_images, data, "ood")
    elif val_ann is None:
        tell(f"there is no {split_file(data, 'ood')}: the model is measured on val alone")
    return sets
