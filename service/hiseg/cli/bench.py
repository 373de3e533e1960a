"""``hiseg bench``: loads a running service, prints the figures, and writes them to files if that is asked for."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiseg.api.encoding import MaskFormat
from hiseg.bench.load import MAX_CALLERS, Arrivals, Sample
from hiseg.cli.numbers import number, whole_number
from hiseg.cli.options import ApiKey, Model, Variant, exit_on
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.extras import needing
from hiseg.core.job import Priority

if TYPE_CHECKING:
    from hiseg.bench.run import ClosedLoop, OpenLoop

OF_SERVICE = "the service's"


def bench(
    url: Annotated[str, typer.Option(help="URL of the running service")] = "http://127.0.0.1:8000",
    rate: Annotated[
        float | None,
        number("open loop: requests a second, answered or not", min=0.01, show_default="none; this or --concurrency"),
    ] = None,
    concurrency: Annotated[
        int | None,
        whole_number("closed loop: callers that wait for answers", min=1, show_default="none; this or --rate"),
    ] = None,
    arrivals: Annotated[Arrivals, typer.Option(help="how an open loop spaces its requests")] = Arrivals.POISSON,
    duration: Annotated[float, number("seconds that are measured", min=0.1)] = 10,
    warm_up: Annotated[float, number("seconds before these, left out of the figures", min=0)] = 1,
    sizes: Annotated[str, typer.Option(help="image sizes, with weights: 640x480:3,1280x720:1")] = "640x480",
    people: Annotated[str, typer.Option(help="boxes in an image: 1-6 evenly, or with weights: 1:2,4:1")] = "1-6",
    photo: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="resized to each size", show_default="synthetic images"),
    ] = None,
    model: Model = None,
    variant: Variant = None,
    mask_format: Annotated[
        MaskFormat | None, typer.Option(help="option of every request", show_default=OF_SERVICE)
    ] = None,
    deadline_ms: Annotated[int | None, whole_number("option of every request", min=1, show_default=OF_SERVICE)] = None,
    priority: Annotated[Priority | None, typer.Option(help="option of every request", show_default=OF_SERVICE)] = None,
    callers: Annotated[
        int, whole_number("number of addresses to pretend to send from (X-Forwarded-For)", min=1, max=MAX_CALLERS)
    ] = 1,
    api_key: ApiKey = None,
    seed: Annotated[int, whole_number("the same seed sends the same requests at the same times", min=0)] = 0,
    json_output: Annotated[
        Path | None,
        typer.Option("--json", help="file for the figures, as JSON", metavar="FILE", show_default="not written"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="file for a chart of all requests, as PNG", metavar="FILE", show_default="not written"),
    ] = None,
) -> None:
    """Load a running service and measure it: at a fixed rate, or with a fixed number of callers.

    Latency counts from when a request should have been sent, so that a service that stalls can't look fast.
    """
    import numpy as np

    from hiseg.bench.mix import parse_people, parse_sizes
    from hiseg.bench.run import DEADLINE_S, GRACE_S, Plan, run
    from hiseg.bench.table import format_table, list_warnings
    from hiseg.bench.workload import Workload

    named = {"model": model, "variant": variant, "mask_format": mask_format, "deadline_ms": deadline_ms}
    options = named | {"priority": priority}
    request_options = {name: str(value) for name, value in options.items() if value is not None}
    with exit_on(CommandError, OSError), _usage_errors():
        loop = _loop(rate, concurrency, arrivals)
        _check_folders({"--json": json_output, "--plot": plot})
        save_plot = _load_plotter() if plot else None
        workload = Workload(parse_sizes(sizes), parse_people(people), request_options, callers, photo)
        timeout = (DEADLINE_S if deadline_ms is None else deadline_ms / 1000) + GRACE_S
        random = np.random.default_rng(seed)
        plan = Plan(url, loop, duration, warm_up, timeout, api_key)
        figures, samples = run(plan, workload.requests(random), random)
        title = f"{url}: {loop}, {duration:g} s after {warm_up:g} s of warm-up; sizes {sizes}; people {people}"
        typer.echo(f"{title}\n{format_table(figures)}")
        if json_output:
            settings = {"url": url, "loop": str(loop), "duration_s": duration, "warm_up_s": warm_up, "sizes": sizes}
            settings |= {"people": people, "callers": callers, "seed": seed, "options": request_options}
            document = settings | dataclasses.asdict(figures) | {"warnings": list_warnings(figures)}
            json_output.write_text(json.dumps(document, indent=2) + "\n")
        if plot and save_plot:
            save_plot(plot, samples, warm_up, title)


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Report a bad option as Typer reports those that it finds itself: with the usage, and exit code 2."""
    try:
        yield
    except BadOption as error:
        raise typer.BadParameter(str(error)) from error


def _loop(rate: float | None, concurrency: int | None, arrivals: Arrivals) -> OpenLoop | ClosedLoop:
    from hiseg.bench.run import ClosedLoop, OpenLoop

    if rate is not None and concurrency is None:
        return OpenLoop(rate, arrivals)
    if concurrency is not None and rate is None:
        return ClosedLoop(concurrency)
    raise typer.BadParameter("give either --rate (open loop) or --concurrency (closed loop)")


def _check_folders(outputs: Mapping[str, Path | None]) -> None:
    for option, path in outputs.items():
        if path and not os.path.isdir(path.parent):
            raise BadOption(option, str(path), "is in a folder that doesn't exist")


def _load_plotter() -> Callable[[Path, Sequence[Sample], float, str], None]:
    with needing("--plot"):
        # Not at the top: matplotlib is an optional extra.
        from hiseg.bench.plot import save_plot
    return save_plot
