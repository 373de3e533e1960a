"""``hiseg-train publish``: from a checkpoint to a version in a model repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Data, ProvenanceFile, tell
from hiseg_training.export.install import check_version_is_free, next_version
from hiseg_training.export.precision import Precision
from hiseg_training.export.provenance import read_provenance
from hiseg_training.export.publish import publish as publish_model


def publish(
    source: Annotated[Path, typer.Argument(metavar="CHECKPOINT", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="the model's name, e.g. hiseg_b0")],
    data: Data,
    repository: Path = Path("model_repository"),
    version: Annotated[int | None, typer.Option(min=1, help="one more than the newest if left out")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="take the place of a version of that number")] = False,
    precision: Annotated[Precision | None, typer.Option(help="of a checkpoint's export; fp32 if left out")] = None,
    provenance: ProvenanceFile = None,
) -> None:
    """Export a checkpoint or take an exported .onnx, measure it, and put it into a repository that may be served."""
    number = version or next_version(repository, name)
    with cli_errors():
        check_version_is_free(repository, name, number, replace)
        origin = read_provenance(provenance)
        metrics = publish_model(source, repository, name, number, data, replace, precision, origin, tell)
    for split, quality in metrics["quality"].items():
        typer.echo(f"{split}: mean IoU {quality['ground truth boxes']['all']:.4f}")
    typer.echo(f"wrote {repository / name / str(number)}")
