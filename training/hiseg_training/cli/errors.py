"""What a user can put right is said in one line, without a stack of calls, by every command."""

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

REFUSED = (
    *(FileNotFoundError, ValueError),
    *(InvalidRequest, ModelError, ParityError, InstallError, ProviderMissing, WeightsMissing),
)
"""Missing files and hardware, values out of range, files that aren't what they should be, work not good enough."""


@contextmanager
def cli_errors() -> Iterator[None]:
    """End a command with the message of what is in :data:`REFUSED`, and exit code 2."""
    try:
        yield
    except REFUSED as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
