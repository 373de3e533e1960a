"""``hiseg annotate``: gives the boxes of a COCO file masks, here or by a server, and goes on where it was ended."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from hiseg.cli import mask_options
from hiseg.cli.numbers import number
from hiseg.cli.options import ApiKey, Model, Repository, Server, Variant, exit_on, read_settings
from hiseg.cli.progress import progress_bar
from hiseg.cli.standard_streams import STANDARD_STREAM, read_in, write_out
from hiseg.client.request import FrameOptions
from hiseg.core.coco_file import AnnotationError
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.errors import HisegError
from hiseg.core.job import DEFAULT_TOLERANCE_PX, MAX_TOLERANCE_PX, Smoothing
from hiseg.core.json_file import UnreadableJson, parse_json
from hiseg.core.signals import stop_on_signal
from hiseg.core.start_error import StartError
from hiseg.core.version import hiseg_version
from hiseg.photos.annotate import Form, Located, locate
from hiseg.photos.annotate import annotate as outline_people
from hiseg.photos.coco_boxes import Document, read_document
from hiseg.photos.coco_output import Filled, fill, to_bytes, write_file
from hiseg.photos.done import Done, fingerprint_of, open_done, partial_path
from hiseg.photos.listing import SUFFIXES, refuse_url
from hiseg.photos.masker import Masker
from hiseg.photos.open import open_masker
from hiseg.photos.pipeline import Failure, count, list_failures
from hiseg.photos.segmentation import SegmentationFormat, check_format


def annotate(
    boxes: Annotated[
        str, typer.Argument(help="COCO file with boxes of people, or - for standard input", metavar="BOXES.JSON")
    ],
    images: Annotated[Path, typer.Option(help="folder of the photos that the file names", metavar="FOLDER")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="COCO file with masks, or - for standard output", metavar="MASKS.JSON"),
    ],
    image_info: Annotated[
        Path | None,
        typer.Option(
            help="COCO file that lists the images, where BOXES.JSON is a detector's list of results",
            metavar="FILE",
            show_default="none",
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(help="name of a category of people; once for each", show_default="person", metavar="NAME"),
    ] = None,
    mask_format: Annotated[
        SegmentationFormat, typer.Option(help="how masks are written")
    ] = SegmentationFormat.COCO_RLE,
    tolerance_px: Annotated[
        float, number("how far polygons may be simplified", min=0, max=MAX_TOLERANCE_PX)
    ] = DEFAULT_TOLERANCE_PX,
    model: Model = None,
    variant: Variant = None,
    threshold: mask_options.Threshold = 0.5,
    smoothing: mask_options.SmoothingOption = Smoothing.NONE,
    dilation_px: mask_options.DilationPx = 0,
    resolve_overlaps: mask_options.ResolveOverlaps = False,
    repository: Repository = None,
    server: Server = None,
    api_key: ApiKey = None,
) -> None:
    """Turn a COCO file of boxes into one of masks; no server needed.

    Everything of the file is kept: people get segmentation, area and score. If it is ended, the same command goes on.
    """
    options: FrameOptions = {
        "box_format": "xywh",
        "threshold": threshold,
        "smoothing": smoothing.value,
        "dilation_px": dilation_px,
        "resolve_overlaps": resolve_overlaps,
    }
    if model is not None:
        options["model"] = model
    if variant is not None:
        options["variant"] = variant
    form = Form(mask_format, tolerance_px)
    with exit_on(CommandError, AnnotationError, HisegError, StartError):
        if server is not None and repository is not None:
            raise CommandError("--repository: the server has models of its own; leave out --repository or --server")
        check_format(mask_format)
        target = _check_output(output, boxes, image_info)
        contents = [_read(boxes), *([] if image_info is None else [_read(str(image_info))])]
        document = _parse(contents, boxes, image_info, category or [])
        _tell(document.notes)
        photos, missing = locate(document.photos, images)
        fingerprint = fingerprint_of(
            contents,
            version=hiseg_version(),
            images=str(images.resolve()),
            categories=category or [],
            form=[mask_format.value, tolerance_px],
            options=options,
        )
        with open_done(target, fingerprint) as done:
            _tell(_found(done, photos, target))
            began = time.monotonic()
            masker = open_masker(options, lambda: read_settings(model_repository=repository), server, api_key)
            try:
                found, code = asyncio.run(_outline(photos, masker, form, done))
            except CommandError as error:
                raise CommandError("; ".join([str(error), *_left(done, photos, target)])) from error
            if code:
                _tell(_left(done, photos, target) or ["ended, and nothing is written"])
                raise typer.Exit(code)
            filled = fill(document, done.entries)
            _write(output, target, to_bytes(document.content, output.endswith(".gz")))
            failures = [*document.failures, *missing, *found, *filled.failures]
            _tell(list_failures(failures))
            _tell([_summary(document, filled, len(done.entries), output, time.monotonic() - began, len(failures))])
            if not missing and not found:
                done.remove()
            elif target and done.entries:
                _tell([f"{partial_path(target)} stays, so that the same command does only photos that failed"])
    if failures:
        raise typer.Exit(1)


async def _outline(
    photos: Sequence[Located], opening: AbstractAsyncContextManager[Masker], form: Form, done: Done
) -> tuple[list[Failure], int]:
    """Have everybody outlined, with a bar that shows how far it is, until it is done or a signal comes.

    Returns:
        The photos that can't be done, and the exit code that a signal asks for, else 0.
    """
    task, found = asyncio.current_task(), list[Failure]()
    assert task is not None

    def stop() -> None:
        task.cancel()

    with progress_bar(len(photos)) as show, stop_on_signal(stop) as received:

        def progress(failed: int) -> None:
            show(len(done.entries) + failed, f"{failed} failed" if failed else "")

        progress(0)
        try:
            async with opening as masker:
                found = await outline_people(photos, masker, form, done, progress)
        except asyncio.CancelledError:
            if received.signal is None:
                raise
    return found, 0 if received.signal is None else 128 + received.signal


def _check_output(output: str, boxes: str, image_info: Path | None) -> Path | None:
    """Refuse an output that couldn't be written, before any work; returns its path if it is, or will be, a file.

    Raises:
        BadOption: it is a folder, in none, one of the inputs, or a photo by its name.
    """
    if output == STANDARD_STREAM:
        return None
    if os.path.isdir(output or "."):
        raise BadOption("-o", output, "is a folder; name a file in it")
    if not os.path.isdir(os.path.dirname(os.path.realpath(output))):
        raise BadOption("-o", output, "is in a folder that doesn't exist")
    if Path(output).suffix.lower() in SUFFIXES:
        raise BadOption("-o", output, "is a photo by its name; masks are written as JSON, such as masks.json")
    is_there = os.path.exists(output)
    for source in (boxes, *([] if image_info is None else [str(image_info)])):
        if source != STANDARD_STREAM and is_there and os.path.exists(source) and os.path.samefile(source, output):
            raise BadOption("-o", output, "is the file that is read; write to another one")
    if is_there and not os.path.isfile(output):
        return None
    # What a link leads to, so that two commands don't write one file by two names.
    return Path(os.path.realpath(output) if os.path.islink(output) else output)


def _read(source: str) -> bytes:
    if source == STANDARD_STREAM:
        return read_in("… | hiseg annotate - …")
    refuse_url(source, "hiseg annotate")
    try:
        return Path(source).read_bytes()
    except FileNotFoundError as error:
        raise CommandError(f"{source} does not exist") from error
    except OSError as error:
        raise CommandError(f"{source} can't be read: {error.strerror}") from error


def _parse(contents: list[bytes], boxes: str, image_info: Path | None, categories: list[str]) -> Document:
    path = Path("standard input" if boxes == STANDARD_STREAM else boxes)
    try:
        parsed = parse_json(contents[0], path)
        listed = None if image_info is None else (parse_json(contents[1], image_info), image_info)
    except UnreadableJson as error:
        raise CommandError(str(error)) from error
    return read_document(parsed, path, categories, listed)


def _write(output: str, target: Path | None, data: bytes) -> None:
    if target is not None:
        write_file(target, data)
        return
    if output == STANDARD_STREAM:
        write_out(data)
        return
    try:
        Path(output).write_bytes(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"-o: {output} can't be written: {error.strerror}") from error


def _found(done: Done, photos: Sequence[Located], target: Path | None) -> list[str]:
    """What there is of an earlier run."""
    if target is None:
        return []
    if done.began_anew:
        return [f"{partial_path(target)} is of other boxes or options, so all photos are done anew"]
    if done.entries:
        return [f"going on from {partial_path(target)}, which has {len(done.entries)} of {len(photos)} photos"]
    return []


def _left(done: Done, photos: Sequence[Located], target: Path | None) -> list[str]:
    """How far it came and how to go on, if there is anything to go on from."""
    if target is None or not done.entries:
        return []
    return [f"ended after {len(done.entries)} of {len(photos)} photos: the same command goes on from there"]


def _summary(document: Document, filled: Filled, photos: int, output: str, seconds: float, failed: int) -> str:
    where = "" if output == STANDARD_STREAM else f" in {output}"
    parts = [f"{count(filled.masks, 'mask')} of {count(photos, 'photo')}{where}, after {seconds:.1f} s"]
    parts += [f"{count(filled.empty, 'mask')} without a pixel"] if filled.empty else []
    parts += [f"{count(document.crowds, 'crowd')} (iscrowd) left as they were"] if document.crowds else []
    parts += [f"{count(failed, 'error')}, with annotations left as they were"] if failed else []
    return "; ".join(parts)


def _tell(lines: list[str]) -> None:
    for line in lines:
        typer.echo(f"hiseg: {line}", err=True)
