"""``hiseg models`` lists the models of the repository; ``hiseg models check`` tells whether a file can be served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hiseg.cli.numbers import whole_number
from hiseg.cli.options import Repository, exit_on, read_settings
from hiseg.core.model_choice import shared_variants
from hiseg.core.start_error import StartError
from hiseg.engines.base import ModelInfo
from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import FATAL, OnnxEngine, ort
from hiseg.models.repository import find_repository, stored_models

models = typer.Typer(invoke_without_command=True, add_completion=False)


@models.callback()
def list_models(context: typer.Context, repository: Repository = None) -> None:
    """List the models of the repository, or check a file: what it is, how large, how good.

    A model that can't be opened is named in a line of its own, the others are listed, and the command exits with 1.
    """
    if context.invoked_subcommand:
        return
    with exit_on(StartError):
        stored = stored_models(find_repository(read_settings(model_repository=repository).model_repository))
    ort.set_default_logger_severity(FATAL)
    are_fine, refs = True, []
    for model in stored:
        try:
            # One thread: nothing is run, so no session for a second batch needs to be opened.
            engine = OnnxEngine(model.path, model.name, model.version, threads=1)
        except ModelError as error:
            typer.echo(f"hiseg: {error}", err=True)
            are_fine = False
            continue
        _print_model(engine.info)
        refs.append(engine.info.ref)
        engine.close()
    for sentence in shared_variants(refs):
        typer.echo(sentence)
    raise typer.Exit(0 if are_fine else 1)


def _print_model(info: ModelInfo) -> None:
    card: dict[str, Any] = info.card
    size = f"{card['bytes'] / 1e6:.1f} MB"
    mask = "x".join(str(side) for side in info.mask_size)
    typer.echo(f"{info.ref.name}  version {info.ref.version}  variant {info.ref.variant}  mask {mask}  {size}")
    typer.echo("  canvases: " + ", ".join(f"{height}x{width}" for height, width in info.canvases))
    for key in ("licence", "training_data", "metrics"):
        if key in card:
            typer.echo(f"  {key}: {card[key]}")


@models.command()
def check(
    path: Annotated[Path, typer.Argument(help="any .onnx file")],
    as_json_text: Annotated[bool, typer.Option("--json", help="print all of it as JSON")] = False,
    threads: Annotated[int, whole_number("threads to run it with; 0: the cores this process may use", min=0)] = 0,
) -> None:
    """Tell whether a file can be served, as what, and how fast it is here; exits with 1 if it can't."""
    # Not at the top: running a model takes the whole segmenter, which listing models doesn't.
    from hiseg.models.inspect import as_json, as_text, inspect_model

    report = inspect_model(path, threads)
    typer.echo(as_json(report) if as_json_text else as_text(report))
    raise typer.Exit(0 if report.fits else 1)
