"""What several commands share: options, the settings that these override, and the end of a command by an error.

No library of the service is loaded here, so that ``--help`` comes at once and works where none is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiseg.core.extras import ExtraMissing

if TYPE_CHECKING:
    from hiseg.settings import Settings

MODEL, SERVER = "Model", "Server"
"""Groups of options in ``--help``."""
Repository = Annotated[
    Path | None,
    typer.Option(
        "--repository",
        help="folder of name/version/model.onnx",
        metavar="FOLDER",
        rich_help_panel=MODEL,
        show_default="./model_repository, or those that come with hiseg",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(help="onnx (embedded), or triton://host:port,host:port", metavar="ENGINE", show_default="onnx"),
]
Fallback = Annotated[
    str | None,
    typer.Option(
        help="what serves while no Triton answers: off, or onnx (embedded)", metavar="ENGINE", show_default="off"
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="http://HOST:PORT or grpc://HOST:PORT of a running service, which then does the work",
        rich_help_panel=SERVER,
        show_default="none: the model runs here",
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="KEY",
        help="of the service",
        envvar="HISEG_API_KEY",
        show_default="none",
        rich_help_panel=SERVER,
    ),
]
# The options of settings are texts: the settings themselves say what is wrong with a value, wherever it comes from.
CANNOT_START = 2
"""Exit code of a service that can't start, and of every command whose settings are refused, as of a wrong option."""
Variant = Annotated[
    str | None,
    typer.Option(
        help="variant of the model, such as b0 or b1", metavar="NAME", rich_help_panel=MODEL, show_default="b0"
    ),
]


def model_names(context: typer.Context) -> list[str]:
    """Names of the models in the repository, for completion; none where they can't be had: it must stay silent."""
    with suppress(Exception):
        from hiseg.models.repository import find_repository, stored_versions
        from hiseg.settings import Settings

        given: dict[str, Any] = {"model_repository": context.params.get("repository")}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        return sorted(stored_versions(find_repository(settings.model_repository)))
    return []


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        autocompletion=model_names,
        help="name of the model, as `hiseg models` lists it",
        metavar="NAME",
        rich_help_panel=MODEL,
        show_default="the variant's",
    ),
]


def read_settings(**overrides: object) -> Settings:
    """Read the settings from ``HISEG_*`` variables and hiseg.toml; an override that is None leaves its setting as is.

    Raises:
        typer.Exit: settings are refused; each is named on standard error, in a line of its own.
    """
    from pydantic import ValidationError

    from hiseg.core.settings_sources import UnreadableFile
    from hiseg.doctor.words import explain
    from hiseg.settings import Settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except (ValidationError, UnreadableFile) as error:
        for sentence in explain(error, given):
            typer.echo(f"hiseg: {sentence}", err=True)
        raise typer.Exit(CANNOT_START) from error


@contextmanager
def exit_on(*errors: type[Exception], code: int = 1) -> Iterator[None]:
    """Within the block, print any of these errors as one line on standard error and exit with ``code``.

    An extra that is missing is such an error for every command. That nobody reads standard output any more is none:
    then a command ends without a word.
    """
    expected: tuple[type[Exception], ...] = (ExtraMissing, *errors)
    try:
        yield
    except BrokenPipeError:
        raise
    except expected as error:
        typer.echo(f"hiseg: {error}", err=True)
        raise typer.Exit(code) from error
