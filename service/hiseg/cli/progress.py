"""How far a command has come: a bar on standard error if that is a terminal, and nothing if it is piped or logged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[int, str], None]
"""Shows how many things are done, and a few words beside them."""


@contextmanager
def progress_bar(total: int | None) -> Iterator[Show]:
    """Show a bar on standard error, if that is a terminal, until the end of the block.

    Args:
        total: number of things to be done, if that is known.

    Yields:
        A function to be called after each of them.
    """
    if not (sys.stderr and sys.stderr.isatty()):
        yield lambda done, words: None
        return
    # Not at the top: it takes a while, and is for terminals only.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, words: bar.update(task, completed=done, description=words)
