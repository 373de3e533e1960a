"""``hiseg-train offset``: a checkpoint whose masks are neither too large nor too small throughout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Category, Images, ValAnnotations, people_names, tell


def offset(
    checkpoint: Annotated[Path, typer.Argument(help="of an instance model", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="the checkpoint to write", metavar="FILE")],
    val_ann: ValAnnotations = None,
    val_images: Images = None,
    category: Category = None,
) -> None:
    """Write a checkpoint whose masks are neither too large nor too small: one number is added to the person's log-odds.

    It is the number with which the mean of three figures is highest: mean IoU with true and with loose boxes, and
    boundary IoU.
    """
    from hiseg_training.data.coco import coco_set, data_root
    from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
    from hiseg_training.evaluation.offset import best_offset
    from hiseg_training.inference.runner import model_runner

    with cli_errors():
        model = load_checkpoint(checkpoint)
        model.fine.add_offset(0.0)  # says at once where there can be none
        photos = coco_set(val_ann, val_images, data_root(), "val").read_outlined(people_names(category), tell)
        best = best_offset(model_runner(model), photos, tell)
        model.fine.add_offset(best.offset)
        save_checkpoint(output, model, {"offset": best.offset, "offset_of": checkpoint.name})
        typer.echo(f"{output}: {best}")
