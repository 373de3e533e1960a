"""``hiseg-train baselines``: what masks are worth that need no model."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Data, tell
from hiseg_training.data.coco import read_split, split_file, with_outlines
from hiseg_training.evaluation.baselines import BASELINES
from hiseg_training.evaluation.evaluate import evaluate


def baselines(data: Data, split: Annotated[str, typer.Option(help="val or ood")] = "val") -> None:
    """Mean IoU per person of the whole box, the ellipse in it, and GrabCut."""
    with cli_errors():
        photos = with_outlines(read_split(data, split, tell=tell), split_file(data, split), tell)
    typer.echo(json.dumps({name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()}, indent=2))
