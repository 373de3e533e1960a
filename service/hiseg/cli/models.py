"""``hiseg models`` lists the models of the repository; ``hiseg models check`` tells whether a file can be served."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiseg.cli.numbers import whole_number
from hiseg.cli.options import Repository, exit_on, model_names, read_settings
from hiseg.core.errors import shorten
from hiseg.core.start_error import StartError

if TYPE_CHECKING:
    from hiseg.core.result import ModelRef
    from hiseg.engines.base import ModelInfo

models = typer.Typer(invoke_without_command=True, add_completion=False)
MEASURED_ON = re.compile(r"(?P<what>.+) on (?P<split>.+)")
"""Name of a metric on a card."""


@models.callback()
def list_models(context: typer.Context, repository: Repository = None) -> None:
    """List the models of the repository, or check a file: what it is, how large, how good.

    A model that can't be opened is named in a line of its own, the others are listed, and the command exits with 1.
    """
    if context.invoked_subcommand:
        return
    # Not at the top: --help needs none of it.
    import asyncio

    from hiseg.core.model_choice import default_model, shared_variants
    from hiseg.engines.base import with_masks
    from hiseg.engines.contract import ModelError
    from hiseg.engines.onnx import FATAL, ort
    from hiseg.models.int8 import open_version
    from hiseg.models.repository import find_repository, stored_models

    settings = read_settings(model_repository=repository)
    with exit_on(StartError):
        folder = find_repository(settings.model_repository)
        stored = stored_models(folder)
    typer.echo(f"{folder.absolute()} ({_why(folder, settings.model_repository, repository)})")
    ort.set_default_logger_severity(FATAL)
    infos: list[ModelInfo] = []
    for model in stored:
        try:
            # One thread: nothing is run, so no session for a second batch needs to be opened.
            engine = asyncio.run(open_version(model, settings.int8, threads=1)).engine
        except ModelError as error:
            typer.echo(f"hiseg: {error}", err=True)
            continue
        infos.append(engine.info)
        engine.close()
    masks = with_masks(infos)
    default = default_model(masks, settings.default_variant)
    for info in infos:
        _print_model(info, default)
    for sentence in shared_variants(masks):
        typer.echo(sentence)
    if infos and default is None:
        typer.echo(f"hiseg: no model is of the default variant, {settings.default_variant}", err=True)
    raise typer.Exit(0 if len(infos) == len(stored) else 1)


def _why(folder: Path, setting: Path | None, option: Path | None) -> str:
    """Why this folder and no other is looked into."""
    from hiseg.models.repository import HERE

    if option is not None:
        return "as --repository says"
    if setting is not None:
        return "as the setting model_repository says"
    return "found in the working folder" if folder == HERE else "the models that come with hiseg"


def _print_model(info: ModelInfo, default: ModelRef | None) -> None:
    card: Mapping[str, Any] = info.card
    size = f"{card['bytes'] / 1e6:.1f} MB"
    others = "boxes and foreground" if info.is_finder else "foreground alone"
    gives = "mask " + "x".join(str(side) for side in info.mask_size) if info.has_masks else others
    precision = f"{info.ref.precision}  " if info.ref.precision else ""
    said = f"{info.ref.name}  version {info.ref.version}  variant {info.ref.variant}  {gives}  {precision}{size}"
    typer.echo(f"{said}  (default)" if info.ref == default else said)
    typer.echo("  canvases: " + ", ".join(f"{height}x{width}" for height, width in info.canvases))
    for key, label in (("licence", "licence"), ("training_data", "learnt from")):
        if key in card:
            typer.echo(f"  {label}: {card[key]}")
    if measured := in_words(card.get("metrics")):
        typer.echo(f"  measured: {measured}")


def in_words(metrics: object) -> str:
    """Say figures of a card in words: "mean IoU 0.783 (val), 0.846 (ood)"; what has another form is said as it is.

    Args:
        metrics: values by names such as ``mean IoU on val``, or anything else; None: there are none.
    """
    if not isinstance(metrics, Mapping):
        return "" if metrics is None else str(metrics)
    grouped: dict[str, list[str]] = {}
    for name, value in metrics.items():
        found = MEASURED_ON.fullmatch(str(name))
        number = f"{value:.3f}" if isinstance(value, float) else str(value)
        what, said = (found["what"], f"{number} ({found['split']})") if found else (str(name), number)
        grouped.setdefault(what, []).append(said)
    return "; ".join(f"{what} {', '.join(values)}" for what, values in grouped.items())


@models.command()
def check(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="any .onnx file, or the name of one that is listed", autocompletion=model_names
        ),
    ],
    as_json_text: Annotated[bool, typer.Option("--json", help="print all of it as JSON")] = False,
    threads: Annotated[int, whole_number("threads to run it with; 0: the cores this process may use", min=0)] = 0,
    repository: Repository = None,
) -> None:
    """Tell whether a file can be served, as what, and how fast it is here; exits with 1 if it can't."""
    # Not at the top: running a model takes the whole segmenter, which listing models doesn't.
    from hiseg.models.inspect import as_json, as_text, inspect_model

    report = inspect_model(_file_of(model, repository), threads)
    typer.echo(as_json(report) if as_json_text else as_text(report))
    raise typer.Exit(0 if report.fits else 1)


def _file_of(model: str, repository: Path | None) -> Path:
    """The file that is meant: the one of that path, else what runs here of the model's newest version."""
    from hiseg.models.int8 import files_of, why_not_int8
    from hiseg.models.repository import find_repository, stored_versions

    path = Path(model)
    if path.suffix or len(path.parts) != 1 or path.exists():
        return path
    settings = read_settings(model_repository=repository)
    with exit_on(StartError):
        versions = stored_versions(find_repository(settings.model_repository))
    if model not in versions:
        there = ", ".join(versions) or "none"
        typer.echo(f"hiseg: {shorten(model)!r} is neither a file nor a model; there is {there}", err=True)
        raise typer.Exit(1)
    return files_of(versions[model][0], why_not_int8(settings.int8) is None)[0].path
