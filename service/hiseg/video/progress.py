"""How far a video has come, on the terminal; nothing where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hiseg.video.run_stats import RunStats


@contextmanager
def progress(total: int | None, tally: RunStats) -> Iterator[Callable[[], None]]:
    """A bar on standard error until the end of the block, and what moves it on.

    Args:
        total: frames there will be, if that is known.
        tally: where the figures are.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    # Not at the top: an optional extra.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def move() -> None:
            dropped = f", {tally.dropped} dropped" if tally.dropped else ""
            bar.update(task, completed=tally.written + tally.dropped, description=f"{tally.fps:.1f} fps{dropped}")

        yield move
