"""``hiseg-train baselines``: what masks are worth that need no model."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Category, Data, Images, ValAnnotations, people_names, tell


def baselines(
    data: Data,
    val_ann: ValAnnotations = None,
    val_images: Images = None,
    category: Category = None,
    split: Annotated[str, typer.Option(help="of the data, if no file is named: val or ood")] = "val",
) -> None:
    """Mean IoU per person of the whole box, the ellipse in it, and GrabCut."""
    from hiseg_training.data.coco import coco_set
    from hiseg_training.evaluation.baselines import BASELINES
    from hiseg_training.evaluation.evaluate import evaluate

    with cli_errors():
        photos = coco_set(val_ann, val_images, data, split).read_outlined(people_names(category), tell)
    typer.echo(json.dumps({name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()}, indent=2))
