"""The photos that INT8 is calibrated on, for the commands that export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiseg_training.export.forms import Precision

if TYPE_CHECKING:
    from hiseg_training.data.coco import CocoSet

CalibrationAnnotations = Annotated[
    Path | None,
    typer.Option(
        help="COCO file of people to calibrate int8 on", metavar="FILE", show_default="the split train of the data"
    ),
]


def calibration_set(
    precision: Precision | None, train_ann: Path | None, train_images: Path | None, data: Path
) -> CocoSet | None:
    """Return the photos to calibrate INT8 on: those of the named file, or the data's; None for other precisions.

    Raises:
        FileNotFoundError, ValueError: as :func:`coco_set`; or a file is named, and another precision asked for.
    """
    from hiseg_training.data.coco import coco_set

    if precision is Precision.INT8:
        return coco_set(train_ann, train_images, data, "train")
    if train_ann or train_images:
        raise ValueError("train_ann: only int8 is calibrated on photos; ask for --precision int8, or leave it out")
    return None
