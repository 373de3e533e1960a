"""Tells users of every command what they can put right, in one line and without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from hiseg.core.errors import InvalidRequest
from hiseg.engines.contract import ModelError
from hiseg_training.export.install import InstallError
from hiseg_training.export.parity import ParityError
from hiseg_training.inference.runner import ProviderMissing
from hiseg_training.models.encoder import WeightsMissing

USER_ERRORS = (
    *(OSError, ValueError),
    *(InvalidRequest, ModelError, ParityError, InstallError, ProviderMissing, WeightsMissing),
)
"""Missing files and hardware, values out of range, invalid files, and exports that do not match their model."""


@contextmanager
def cli_errors() -> Iterator[None]:
    """Print the message of any of :data:`USER_ERRORS` to standard error and exit with code 2."""
    try:
        yield
    except USER_ERRORS as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
