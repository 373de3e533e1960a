"""``hiseg-train``: its commands, each of which is imported only when it is called, as most of them load PyTorch."""

from __future__ import annotations

import typer

from hiseg.cli.lazy import LazyGroup, Place, Version
from hiseg_training.compat.names import BOTH_SPELLINGS

COMMANDS = {
    "configs": Place("hiseg_training.cli.configs", "List the configurations, or print one as JSON."),
    "pretrain": Place(
        "hiseg_training.cli.stages", "Train the coarse stage alone (stage 1): anybody or nobody, for every pixel."
    ),
    "distill": Place("hiseg_training.cli.stages", "Train a student's coarse stage from a teacher's (stage 2)."),
    "train": Place("hiseg_training.cli.stages", "Train instance segmentation (stage 3)."),
    "train-finder": Place(
        "hiseg_training.cli.finder", "Train a finder: people's boxes and everybody's foreground, no box known."
    ),
    "recipe": Place("hiseg_training.cli.recipe", "Follow a recipe step by step."),
    "average": Place("hiseg_training.cli.average", "Write the mean of checkpoints' weights."),
    "offset": Place("hiseg_training.cli.offset", "Write a checkpoint whose masks are neither too large nor too small."),
    "validate": Place("hiseg_training.cli.validate", "IoU, detection rates, boundary IoU, AP and foreground."),
    "predict": Place("hiseg_training.cli.predict", "Draw what an exported model says about photos."),
    "export": Place("hiseg_training.cli.export", "Write a checkpoint as ONNX, checked against PyTorch."),
    "export-unet": Place("hiseg_training.cli.export", "Write the foreground network of a checkpoint as ONNX."),
    "optimize": Place("hiseg_training.cli.export", "Simplify any ONNX file."),
    "tensorrt": Place("hiseg_training.cli.tensorrt", "Experimental: write Triton's configuration of TensorRT plans."),
    "baselines": Place(
        "hiseg_training.cli.baselines", "Mean IoU per person of the whole box, the ellipse in it, and GrabCut."
    ),
    "publish": Place(
        "hiseg_training.cli.publish",
        "Export a checkpoint or take an exported .onnx, measure it, and put it into a repository.",
    ),
    "data": Place("hiseg_training.cli.data", "Build person-only annotation files, and count what is in them."),
    "export-filter": Place("hiseg_training.cli.export_filter", "Write filters that even out masks, as ONNX."),
}


class Commands(LazyGroup):
    """All of :data:`COMMANDS`."""

    places = COMMANDS
    extras = ("cpu", "training")


app = typer.Typer(cls=Commands, no_args_is_help=True, context_settings=BOTH_SPELLINGS)


@app.callback()
def main(version: Version = False) -> None:
    """Train, measure and publish models."""
