"""Tells users of every command what they can put right, in one line and without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from hiseg.core.errors import InvalidRequest


@contextmanager
def cli_errors() -> Iterator[None]:
    """Print the message of any of :func:`user_errors` to standard error and exit with code 2.

    That nobody reads standard output any more is none of them: then a command ends without a word.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        # Most errors are of the first kinds, and don't have PyTorch loaded for them.
        if not isinstance(error, (OSError, ValueError, InvalidRequest)) and not isinstance(error, user_errors()):
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def user_errors() -> tuple[type[Exception], ...]:
    """Invalid models, missing hardware and weights, and exports that do not match their model."""
    from hiseg.engines.contract import ModelError
    from hiseg_training.export.install import InstallError
    from hiseg_training.export.parity import ParityError
    from hiseg_training.inference.runner import ProviderMissing
    from hiseg_training.models.encoder import WeightsMissing

    return ModelError, ParityError, InstallError, ProviderMissing, WeightsMissing
