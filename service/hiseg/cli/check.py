"""``hiseg models check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg.models.inspect import as_json, as_text, inspect_model


def check(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="any .onnx file")],
    as_json_text: Annotated[bool, typer.Option("--json", help="print all of it as JSON")] = False,
    threads: Annotated[int, typer.Option(min=0, help="threads to run it with; 0: the cores this process may use")] = 0,
) -> None:
    """Tell whether a file can be served, as what, and how fast it is here; exits with 1 if it can't."""
    report = inspect_model(path, threads)
    typer.echo(as_json(report) if as_json_text else as_text(report))
    raise typer.Exit(0 if report.fits else 1)
