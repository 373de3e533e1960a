"""``hiseg video``: segments the people of a video, and shows how far it has come."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from hiseg.cli import mask_options
from hiseg.cli.numbers import number, whole_number
from hiseg.cli.options import Model, Repository, Variant, exit_on, read_settings
from hiseg.cli.progress import progress_bar
from hiseg.core.command_errors import CommandError
from hiseg.core.errors import HisegError
from hiseg.core.job import PostProcessing, Smoothing
from hiseg.core.policy import Policy
from hiseg.core.signals import stop_on_signal
from hiseg.core.start_error import StartError
from hiseg.engines.contract import ModelError
from hiseg.engines.cores import available_cores
from hiseg.images.raw import PixelFormat
from hiseg.video.box_files import read_boxes
from hiseg.video.boxes import BoxTrack, same_boxes_for_all
from hiseg.video.frame import Masker
from hiseg.video.inputs import STANDARD_STREAM
from hiseg.video.looks import Look, parse_style
from hiseg.video.open import RawOptions, check_outputs, open_sinks, open_source
from hiseg.video.pipeline import Pipeline, Plan
from hiseg.video.run_stats import RunStats


def video(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="file, URL, camera (/dev/video0 or 0), or - for raw frames on stdin")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="video (.mp4, .mov, .mkv, .avi, .webm, .gif) or a PNG for each frame (%04d.png); - writes raw frames "
            "to stdout",
            metavar="FILE",
            show_default="not written",
        ),
    ] = None,
    look: Annotated[
        Look | None,
        typer.Option(
            "--as",
            help="people tinted, their grey matte, on transparency (.mov, .webm, %04d.png), or over --background",
            show_default="overlay, or cutout with --background",
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            help="what people are cut out over: a colour, blur, or a picture",
            metavar="COLOUR|blur|FILE",
            show_default="none; --as cutout needs it",
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            help='JSON lines, each with "frame" (or "time", in seconds), "boxes" (rows of x1, y1, x2, y2) and, if '
            'people are tracked, "ids"; or what a tracker wrote: MOT, COCO, supervision',
            metavar="FILE",
            show_default="none; this or --box",
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="in pixels, for all frames; once per person",
            metavar="X1,Y1,X2,Y2",
            show_default="none; this or --boxes",
        ),
    ] = None,
    max_box_age: Annotated[
        float | None,
        number(
            "frames for which boxes are used after their own, where others have none; seconds, if they have times",
            min=0,
            show_default="no limit",
        ),
    ] = None,
    json_output: Annotated[
        Path | None,
        typer.Option("--json", help="masks of every frame, as JSON lines", metavar="FILE", show_default="not written"),
    ] = None,
    policy: Annotated[
        Policy | None,
        typer.Option(help="for frames that come too fast", show_default="latest_only if live, else wait"),
    ] = None,
    every: Annotated[int, whole_number("take every Nth frame", min=1)] = 1,
    size: Annotated[
        str | None,
        typer.Option(
            help="of raw frames, or what a camera is asked to deliver",
            metavar="WIDTHxHEIGHT",
            show_default="the source's",
        ),
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            help="frames a second of raw frames, or what a camera is asked to deliver",
            metavar="NUMBER",
            show_default="the source's",
        ),
    ] = None,
    pixel_format: Annotated[
        PixelFormat | None, typer.Option(help="pixel layout of raw frames", show_default="none; raw frames need it")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="a running service", metavar="grpc://HOST:PORT", show_default="none; the model runs here"),
    ] = None,
    model: Model = None,
    variant: Variant = None,
    threshold: mask_options.Threshold = 0.5,
    smoothing: mask_options.SmoothingOption = Smoothing.NONE,
    dilation_px: mask_options.DilationPx = 0,
    resolve_overlaps: mask_options.ResolveOverlaps = False,
    repository: Repository = None,
) -> None:
    """Tint the people of a video, or cut them out; no server needed.

    A frame without boxes of its own has the latest ones before it.
    """
    with exit_on(CommandError, HisegError, ModelError, StartError):
        settings = read_settings(model_repository=repository)
        post_processing = PostProcessing(smoothing, threshold, dilation_px, resolve_overlaps)
        track = _read_track(boxes, box or [], settings.max_boxes, max_box_age)
        style = parse_style(look, background)
        check_outputs(source, output, json_output, style.look)
        frames = open_source(source, every, RawOptions(size, fps, pixel_format))
        if track.is_empty:
            raise CommandError("there are no boxes, so nobody would be looked for; give --box or --boxes")
        sinks, notes = open_sinks(source, output, json_output, frames.format, style.look)
        policy = policy or (Policy.LATEST_ONLY if frames.live else Policy.WAIT)
        _tell([*track.notes, *notes])
        stats = RunStats(with_latency=policy is not Policy.WAIT)

        async def run() -> int:
            with ThreadPoolExecutor(available_cores(), thread_name_prefix="worker") as workers:
                masker_context: AbstractAsyncContextManager[Masker]
                # Neither at the top: who has a server needs nothing that runs models, and who has none no client.
                if server is not None:
                    from hiseg.video.remote import remote_masker

                    masker_context = remote_masker(server, policy, model, variant, post_processing)
                else:
                    from hiseg.video.embedded import embedded_masker

                    masker_context = embedded_masker(settings, model, variant, post_processing)
                plan = Plan(policy, track, json_output is not None, workers, style)
                async with masker_context as masker:
                    pipeline = Pipeline(plan, frames, masker, sinks, stats)
                    with progress_bar(frames.expected) as show, stop_on_signal(pipeline.stop) as received:
                        try:
                            await pipeline.run(lambda: show(stats.written + stats.dropped, stats.speed))
                        except asyncio.CancelledError:
                            if received.signal is None:
                                raise
            return 0 if received.signal is None else 128 + received.signal

        try:
            code = asyncio.run(run())
        finally:
            if stats.written or stats.dropped:
                typer.echo(stats, err=output == STANDARD_STREAM)
            _tell([*frames.notes, *stats.notes])
        if not code and stats.last is not None and (behind := track.behind(*stats.last)):
            _tell([behind])
    if code:
        raise typer.Exit(code)


def _tell(notes: Iterable[str]) -> None:
    for note in notes:
        typer.echo(f"hiseg: {note}", err=True)


def _read_track(boxes: Path | None, box: list[str], limit: int, max_age: float | None) -> BoxTrack:
    if boxes is None:
        if max_age is not None:
            raise CommandError("--max-box-age is for --boxes; those of --box count for all frames")
        return same_boxes_for_all(box, limit)
    if box:
        raise CommandError("give either --boxes or --box")
    return read_boxes(boxes, limit, math.inf if max_age is None else max_age)
