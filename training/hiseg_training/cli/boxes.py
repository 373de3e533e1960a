"""Photos that have boxes only, and the model that outlines the people in them: flags that all stages share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.options import latest_match
from hiseg_training.data.coco import Photo
from hiseg_training.data.eval_dataset import read_photos
from hiseg_training.inference.pseudo_labels import add_pseudo_labels
from hiseg_training.inference.runner import open_runner

BoxesAnn = Annotated[Path | None, typer.Option(help="COCO file of people with boxes only, to learn from too")]
BoxesTeacher = Annotated[str | None, typer.Option(help="instance model (.onnx or checkpoint) that outlines them")]


def check_outlined(annotations: Path | None, teacher: str | None) -> None:
    """Photos with boxes only must be outlined where outlines are all that is learnt.

    Raises:
        ValueError: nobody is named who could.
    """
    if annotations is not None and teacher is None:
        raise ValueError("boxes_teacher: which? outlines are what is learnt, and photos with boxes only have none")


def boxed(annotations: Path, images: Path | None, limit: int, teacher: str | None) -> list[Photo]:
    """Photos with boxes only; outlined, if there is a model that can.

    Raises:
        FileNotFoundError: there are no such annotations, or no such model.
    """
    photos = read_photos(annotations, images, "", limit)
    if teacher is None:
        return photos
    return add_pseudo_labels(photos, open_runner(latest_match(teacher, "boxes_teacher")))
