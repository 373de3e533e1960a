"""``hiseg run`` for many photos: a folder, a pattern or several files, to a folder of results."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from hiseg.api.encoding import MaskFormat
from hiseg.cli.progress import progress_bar
from hiseg.cli.run_plan import Plan, check_file, check_finder, check_formats, say
from hiseg.cli.standard_streams import STANDARD_STREAM, standard_output
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.signals import stop_on_signal
from hiseg.masks.formats.picture import SUFFIXES, PictureType
from hiseg.photos.box_file import BoxFile, Matched, match
from hiseg.photos.drawing import Drawing
from hiseg.photos.journal import AGAIN, NAME, Journal, key_of, open_journal
from hiseg.photos.listing import Listing, Photo, find_photos
from hiseg.photos.many import Lines, Tally, Work, open_lines
from hiseg.photos.open import open_masker
from hiseg.photos.pipeline import Failure, count, list_failures, process


def run_many(plan: Plan) -> None:
    """Segment many photos, and say at the end what has come of them.

    Raises:
        CommandError: something in the options can't be, or concerns all photos.
        typer.Exit: photos failed, or a signal ended the work.
        BrokenPipeError: nobody reads standard output any more.
    """
    output, lines = _check(plan)
    listing = find_photos(plan.photos, output)
    failures = [Failure(name, reason) for name, reason in listing.unreadable]
    if not listing.photos:
        others = f"; {count(listing.others, 'other file')} there" if listing.others else ""
        for line in list_failures(failures):
            say(f"hiseg: {line}", err=True)
        raise CommandError(f"there are no photos in {', '.join(plan.photos)} (.jpg, .png, .webp){others}")
    matched, photos = _boxes(plan, listing)
    failures += [Failure(name, reason) for name, reason in matched.unclear.items()]
    if plan.boxes is not None:
        failures += plan.boxes.failures
        for note in plan.boxes.notes:
            say(f"hiseg: {note}", err=True)
    tally, received = Tally(), 0
    drawing = Drawing(
        plan.mask_format or MaskFormat.OVERLAY, plan.picture or PictureType.PNG, tolerance_px=plan.tolerance_px
    )
    if output is not None:
        _make_folder(output)
    with ExitStack() as stack:
        journal = _open_journal(stack, plan, output, lines)
        todo = list(_todo(plan, output, journal, photos, matched, drawing))
        skipped = len(photos) - len(todo)
        written = _open_lines(stack, plan, lines, journal)
        if todo:
            more, received = asyncio.run(_work(plan, todo, matched, output, drawing, journal, written, tally))
            failures += more
    _tell(plan, listing, len(photos), matched, tally, skipped, failures, received)
    if received:
        raise typer.Exit(128 + received)
    if failures:
        raise typer.Exit(1)


async def _work(
    plan: Plan,
    todo: Sequence[Photo],
    matched: Matched,
    output: Path | None,
    drawing: Drawing,
    journal: Journal | None,
    lines: Lines | None,
    tally: Tally,
) -> tuple[list[Failure], int]:
    """Work on the photos; returns those that failed, and the signal that ended the work, 0 for none."""
    is_stopped = False

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True

    def until_stopped() -> Iterator[Photo]:
        for photo in todo:
            if is_stopped:
                return
            yield photo

    with stop_on_signal(stop) as received, progress_bar(len(todo)) as show:
        ended = 0

        def progress() -> None:
            nonlocal ended
            ended += 1
            failed = ended - tally.done
            show(ended, f"{failed} failed" if failed else "")

        async with open_masker(plan.options, plan.settings, plan.server, plan.api_key) as masker:
            work = Work(
                masker,
                lambda photo: matched.rows.get(photo.name),
                output,
                drawing,
                journal,
                lines,
                tally,
                lambda photo: _key(photo, matched),
            )
            failures = await process(until_stopped(), work.do, lambda photo: photo.name, progress)
        return failures, 0 if received.signal is None else int(received.signal)


def _check(plan: Plan) -> tuple[Path | None, Path | None]:
    """Refuse what can't be done before anything is read.

    Returns:
        The folder of results, and the file of JSON lines; each None if there is none.
    """
    if STANDARD_STREAM in plan.photos:
        raise CommandError("- reads one photo from standard input, and can't stand beside others")
    if plan.output is None and plan.json_output is None:
        raise CommandError("nothing would be written; -o OUT/ writes a picture for each photo, --json FILE the masks")
    if plan.output == STANDARD_STREAM:
        raise CommandError("-o - writes one picture, and there are many photos; give -o a folder")
    output = None if plan.output is None else Path(plan.output)
    if output is not None and not output.is_dir():
        if os.path.lexists(output):
            raise BadOption("-o", str(output), "is a file; for many photos it is a folder")
        if output.suffix.lower() in SUFFIXES and not str(plan.output).endswith("/"):
            raise BadOption("-o", str(output), "is a picture's name, and there are many photos; give -o a folder")
    lines = None if plan.json_output in (None, STANDARD_STREAM) else Path(str(plan.json_output))
    if lines is not None:
        check_file("--json", lines, None)
    check_formats(plan, plan.mask_format or MaskFormat.OVERLAY)
    return output, lines


def _make_folder(output: Path) -> None:
    """Make the folder of results, once it is known that there are photos.

    Raises:
        BadOption: it can't be made, or not be written into.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOption("-o", str(output), f"can't be made: {error.strerror}") from error
    if not os.access(output, os.W_OK | os.X_OK):
        raise BadOption("-o", str(output), "can't be written into: permission denied")


def _boxes(plan: Plan, listing: Listing) -> tuple[Matched, list[Photo]]:
    """Whose the boxes are, and the photos that can be worked on.

    Raises:
        CommandError: none has boxes, and the mode needs them, or people to be found, which no model does.
    """
    names = [photo.name for photo in listing.photos]
    if plan.boxes is not None:
        matched = match(plan.boxes, names)
    else:
        matched = Matched(dict.fromkeys(names, plan.rows) if plan.rows else {})
    check_finder(plan, "--boxes FILE, or --box x1,y1,x2,y2 for people who are at the same place in all photos")
    usable = [photo for photo in listing.photos if photo.name not in matched.unclear]
    if not plan.is_binary and not plan.finds:
        usable = [photo for photo in usable if photo.name in matched.rows]
    if not usable and plan.boxes is not None:
        raise CommandError(next(iter(matched.unclear.values()), None) or _none_fits(plan.boxes, names))
    return matched, usable


def _none_fits(boxes: BoxFile, names: Sequence[str]) -> str:
    named = f", but of {next(iter(boxes.rows))!r} and the like" if boxes.rows else ""
    return f"{boxes.path} has boxes of none of the photos, such as {names[0]!r}{named}"


def _open_journal(stack: ExitStack, plan: Plan, output: Path | None, lines: Path | None) -> Journal | None:
    if output is not None:
        path, folder = output / NAME, output
    elif lines is not None:
        path, folder = lines.with_name(f".{lines.name}{NAME}"), lines.parent
    else:
        return None
    options: dict[str, Any] = {
        **plan.options,
        "mask_format": plan.mask_format,
        "output_type": plan.picture or PictureType.PNG,
        "tolerance_px": plan.tolerance_px,
        "json": None if lines is None else str(lines.absolute()),
    }
    options = {name: value for name, value in options.items() if value is not None}
    return stack.enter_context(open_journal(path, folder, options, plan.overwrite))


def _open_lines(stack: ExitStack, plan: Plan, lines: Path | None, journal: Journal | None) -> Lines | None:
    if plan.json_output == STANDARD_STREAM:
        return Lines(standard_output(), "standard output", can_seek=False)
    if lines is None or journal is None:
        return None
    return stack.enter_context(open_lines(lines, journal, plan.overwrite))


def _todo(
    plan: Plan,
    output: Path | None,
    journal: Journal | None,
    photos: Sequence[Photo],
    matched: Matched,
    drawing: Drawing,
) -> Iterator[Photo]:
    """The photos that aren't done yet.

    Raises:
        CommandError: files of others are where results would be written, or the file of JSON lines would get a photo
            a second time.
    """
    for photo in photos:
        try:
            if journal is not None and journal.is_done(photo.name, _key(photo, matched)):
                continue
        except OSError:
            pass  # it is read once more, and then the reason is told
        if journal is not None and not plan.overwrite:
            if journal.has(photo.name) and journal.lines_end:
                raise CommandError(f"{photo.name}, its boxes or its results have changed since it was done; {AGAIN}")
            if output is not None and journal.is_new:
                found = next((end for end in drawing.ends(1) if (output / f"{photo.stem}{end}").exists()), None)
                if found is not None:
                    raise CommandError(
                        f"-o: {output / f'{photo.stem}{found}'} is there already, and isn't of hiseg run; choose "
                        f"another folder, or let --overwrite write over it"
                    )
        yield photo


def _key(photo: Photo, matched: Matched) -> str:
    return key_of(photo.path, matched.rows.get(photo.name), photo.stem)


def _tell(
    plan: Plan,
    listing: Listing,
    usable: int,
    matched: Matched,
    tally: Tally,
    skipped: int,
    failures: list[Failure],
    received: int,
) -> None:
    """Say what has come of the photos; on standard error if that of standard output is JSON."""
    for line in tally.notes:
        say(f"hiseg: {line}", err=True)
    if tally.noted > len(tally.notes):
        say(f"hiseg: and notes on {count(tally.noted - len(tally.notes), 'more photo')}", err=True)
    for line in list_failures(failures):
        say(f"hiseg: {line}", err=True)
    parts = [f"{tally.done} of {count(len(listing.photos), 'photo')} done"]
    parts += [f"{skipped} done before, which --overwrite does again"] if skipped else []
    without = len(listing.photos) - usable - len(matched.unclear)
    if plan.boxes is not None:
        parts += [f"{without} without boxes in {plan.boxes.path}"] if without else []
        parts += [f"{count(matched.unused, 'name')} in {plan.boxes.path} without a photo"] if matched.unused else []
    parts += [f"{len(failures)} failed"] if failures else []
    parts += [f"{count(listing.others, 'other file')} left out"] if listing.others else []
    parts += [f"{count(listing.results, 'folder')} of earlier results left out"] if listing.results else []
    where = " and ".join(each for each in (plan.output, plan.json_output) if each not in (None, STANDARD_STREAM))
    parts += [f"results in {where}"] if where and tally.done else []
    parts += ["stopped; the same command does the rest"] if received else []
    say("; ".join(parts), err=plan.json_output == STANDARD_STREAM)
