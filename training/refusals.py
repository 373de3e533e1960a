"""What a user can put right is said in one line, without a stack of calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from service.engines.contract import ModelError
from service.errors import InvalidRequest
from training.data.coco import AnnotationError
from training.inference.runner import ProviderMissing


@contextmanager
def refused_plainly() -> Iterator[None]:
    """Missing files, files that aren't what they should be and missing hardware end a command with their message."""
    try:
        yield
    except (FileNotFoundError, AnnotationError, ModelError, ProviderMissing, InvalidRequest) as error:
        raise typer.BadParameter(str(error)) from error
