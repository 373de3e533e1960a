"""``hiseg video``: options in, an annotated video out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from hiseg.cli import options
from hiseg.core.errors import HisegError
from hiseg.core.job import PostProcessing, Smoothing
from hiseg.engines.contract import ModelError
from hiseg.engines.cores import available_cores
from hiseg.images.raw import PixelFormat
from hiseg.settings import Settings
from hiseg.video.boxes import BoxTrack, read_boxes, same_for_all
from hiseg.video.embedded import embedded
from hiseg.video.errors import VideoError
from hiseg.video.frame import Masker
from hiseg.video.frame_buffer import Policy
from hiseg.video.inputs import STANDARD
from hiseg.video.open import RawOptions, check_outputs, open_sink, open_source
from hiseg.video.pipeline import Pipeline, Plan
from hiseg.video.progress import progress
from hiseg.video.remote import remote
from hiseg.video.run_stats import RunStats
from hiseg.video.signals import stopping

USERS = (VideoError, HisegError, ModelError, FileNotFoundError)
"""Errors that are told in one line."""


def video(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="file, URL, camera (/dev/video0 or 0), or - for raw frames on stdin")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="video with the masks drawn, no sound; - writes raw RGB24 frames to stdout"
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help='JSON lines, each with "frame" (or "time", in seconds) and "boxes" (rows of x1, y1, x2, y2)'),
    ] = None,
    box: Annotated[list[str] | None, typer.Option(help="x1,y1,x2,y2 in pixels for all frames; once per person")] = None,
    json_output: Annotated[Path | None, typer.Option("--json", help="masks of every frame, as JSON lines")] = None,
    policy: Annotated[
        Policy | None, typer.Option(help="frames that come too fast; live inputs have latest_only, others wait")
    ] = None,
    every: Annotated[int, typer.Option(help="take each so manieth frame, leave out the others", min=1)] = 1,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of raw frames, or what a camera is asked for")] = None,
    fps: Annotated[str | None, typer.Option(help="rate of raw frames, or what a camera is asked for")] = None,
    pixel_format: Annotated[PixelFormat | None, typer.Option(help="how raw frames are written")] = None,
    server: Annotated[str | None, typer.Option(help="grpc://HOST:PORT of a running service; else no server")] = None,
    variant: Annotated[str | None, typer.Option(help="b0, b1 or b7")] = None,
    threshold: options.Threshold = 0.5,
    smoothing: options.SmoothingOption = Smoothing.NONE,
    dilation_px: options.DilationPx = 0,
    resolve_overlaps: options.ResolveOverlaps = False,
    repository: Annotated[Path | None, typer.Option(help="folder of name/version/model.onnx")] = None,
) -> None:
    """Tint the people of a video; no server needed. A frame without boxes of its own has the latest ones before it."""
    with _told():
        settings = _settings(repository)
        finish = PostProcessing(smoothing, threshold, dilation_px, resolve_overlaps)
        track = _track(boxes, box or [], settings.max_boxes)
        check_outputs(source, output, json_output)
        frames = open_source(source, every, RawOptions(size, fps, pixel_format))
        sink = open_sink(output, json_output, frames.traits)
        policy = policy or (Policy.LATEST_ONLY if frames.live else Policy.WAIT)
        if track.is_empty:
            typer.echo("hiseg: there are no boxes, so nobody is looked for; give --box or --boxes", err=True)
        tally = RunStats()

        async def run() -> int:
            with ThreadPoolExecutor(available_cores(), thread_name_prefix="worker") as workers:
                masking: AbstractAsyncContextManager[Masker] = (
                    remote(server, policy, variant, finish)
                    if server is not None
                    else embedded(settings, workers, variant, finish)
                )
                plan = Plan(policy, track, json_output is not None, workers)
                async with masking as masker:
                    pipeline = Pipeline(plan, frames, masker, sink, tally)
                    with progress(frames.expected, tally) as move, stopping(pipeline.stop) as stopped:
                        try:
                            await pipeline.run(move)
                        except asyncio.CancelledError:
                            if stopped.by is None:
                                raise
            return 0 if stopped.by is None else 128 + stopped.by

        try:
            code = asyncio.run(run())
        finally:
            if tally.written or tally.dropped:
                typer.echo(tally, err=output == STANDARD)
    if code:
        raise typer.Exit(code)


def _settings(repository: Path | None) -> Settings:
    given = {} if repository is None else {"model_repository": repository}
    return Settings(**given)  # type: ignore[arg-type]


def _track(boxes: Path | None, box: list[str], limit: int) -> BoxTrack:
    if boxes is None:
        return same_for_all(box, limit)
    if box:
        raise VideoError("give either --boxes or --box")
    return read_boxes(boxes, limit)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise typer.BadParameter(str(error)) from error
    except USERS as error:
        typer.echo(f"hiseg: {error}", err=True)
        raise typer.Exit(1) from error
