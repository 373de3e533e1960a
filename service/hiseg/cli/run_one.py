"""``hiseg run`` for one photo: a file or standard input, to files or standard output."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hiseg.api.encoding import MaskFormat
from hiseg.cli.run_plan import Plan, check_file, check_finder, check_formats, picture_of, say
from hiseg.cli.standard_streams import STANDARD_STREAM, read_in, write_out
from hiseg.client.request import FrameOptions
from hiseg.client.result import Result
from hiseg.core.command_errors import CommandError
from hiseg.core.job import Priority
from hiseg.masks.formats.picture import PictureType
from hiseg.photos.box_file import match
from hiseg.photos.drawing import PICTURES, STAGES, Drawing
from hiseg.photos.open import open_masker
from hiseg.photos.pipeline import PhotoError, list_failures


@dataclass(frozen=True, slots=True)
class Written:
    """What is made of the photo: the answer, its JSON and the pictures, where they are asked for."""

    result: Result
    json: bytes | None
    pictures: list[bytes]


def run_one(plan: Plan) -> None:
    """Segment one photo.

    Raises:
        CommandError: something in the options can't be, or the photo can't be read or segmented.
        BrokenPipeError: nobody reads standard output any more.
    """
    plan = _check(plan)
    rows = _rows(plan)
    photo = _read(plan.photos[0])
    waited_for: FrameOptions = {"priority": Priority.INTERACTIVE.value}

    async def segment() -> Written:
        opening = open_masker(plan.options | waited_for, plan.settings, plan.server, plan.api_key)
        async with opening as masker:
            return await masker.segment(photo, rows, partial(_write, plan, photo))

    try:
        written = asyncio.run(segment())
    except PhotoError as error:
        raise CommandError(f"{_shown(plan.photos[0])}: {error}") from error
    files = _save(plan, written)
    _tell(plan, written.result, files)


def _check(plan: Plan) -> Plan:
    """Refuse what can't be done before anything is read; returns the plan with the type of picture."""
    if plan.output == plan.json_output == STANDARD_STREAM:
        raise CommandError("-o - and --json - would both write to standard output; give one of them a file")
    source = None if plan.photos[0] == STANDARD_STREAM else Path(plan.photos[0])
    if source is not None and not os.path.lexists(source):
        raise CommandError(f"{source} does not exist")
    files = {"-o": plan.output, "--json": plan.json_output}
    paths = {option: Path(name) for option, name in files.items() if name is not None and name != STANDARD_STREAM}
    if plan.output is not None:
        plan = replace(plan, picture=picture_of(plan.output, plan.picture))
    for option, path in paths.items():
        check_file(option, path, source)
    if len({path.absolute() for path in paths.values()}) < len(paths):
        raise CommandError("-o and --json are the same file")
    check_formats(plan, _picture_format(plan))
    return plan


def _picture_format(plan: Plan) -> MaskFormat:
    """What ``-o`` gets: the overlay too where the format is one of JSON alone."""
    form = plan.mask_format
    return form if form in (*PICTURES, MaskFormat.PNG) and form is not None else MaskFormat.OVERLAY


def _rows(plan: Plan) -> list[list[float]] | None:
    """The photo's boxes; None: there are none, and people are found, or the mode needs none."""
    rows: list[list[float]] | None = plan.rows or None
    if plan.boxes is not None:
        name = plan.photos[0]
        if name == STANDARD_STREAM and plan.boxes.for_all is None and len(plan.boxes.rows) == 1:
            [rows] = plan.boxes.rows.values()
        else:
            # Folders that lead to the photo here needn't be those of whoever made the file.
            for each in (Path(name).as_posix(), Path(name).name):
                matched = match(plan.boxes, [each])
                if matched.unclear:
                    raise CommandError(f"{name}: {next(iter(matched.unclear.values()))}")
                rows = matched.rows.get(each)
                if rows is not None:
                    break
            if rows is None and not plan.is_binary:
                raise CommandError(f"{plan.boxes.path} has no boxes of {_shown(name)}")
    check_finder(plan, "--box x1,y1,x2,y2 for each person")
    if plan.output == STANDARD_STREAM and plan.mask_format is MaskFormat.PNG and (plan.finds or len(rows or ()) > 1):
        raise CommandError(
            "--mask-format png is a picture for each person, and -o - writes one; give -o a file's name, or choose "
            "label_map"
        )
    return rows


def _shown(photo: str) -> str:
    return "the photo on standard input" if photo == STANDARD_STREAM else photo


def _read(photo: str) -> bytes:
    """Read the photo.

    Raises:
        CommandError: it can't be read.
    """
    if photo != STANDARD_STREAM:
        try:
            return Path(photo).read_bytes()
        except OSError as error:
            raise CommandError(f"{photo} can't be read: {error.strerror}") from error
    found = read_in("curl … | hiseg run - …")
    if not found:
        raise CommandError("there is nothing on standard input, where - reads the photo from")
    return found


def _write(plan: Plan, photo: bytes, result: Result) -> Written:
    """Make all that is asked for, in a worker thread."""
    pictures: list[bytes] = []
    text = None
    if plan.output is not None:
        pictures = Drawing(_picture_format(plan), plan.picture or PictureType.PNG).files(photo, result)
    if plan.json_output is not None:
        text = Drawing(plan.mask_format or MaskFormat.COCO_RLE, tolerance_px=plan.tolerance_px).json(photo, result, 2)
    return Written(result, text, pictures)


def _save(plan: Plan, written: Written) -> list[str]:
    """Write the files, and return their names.

    Raises:
        CommandError: one can't be written.
        BrokenPipeError: nobody reads standard output any more.
    """
    targets: list[tuple[str, bytes]] = []
    if plan.output is not None:
        path = Path(plan.output)
        names = [plan.output]
        if len(written.pictures) > 1:
            names = [str(path.with_stem(f"{path.stem}-{number}")) for number in range(1, len(written.pictures) + 1)]
        targets += zip(names, written.pictures, strict=True) if written.pictures else []
    if plan.json_output is not None and written.json is not None:
        targets.append((plan.json_output, written.json))
    for name, content in targets:
        if name == STANDARD_STREAM:
            write_out(content)
            continue
        try:
            Path(name).write_bytes(content)
        except OSError as error:
            raise CommandError(f"{name} can't be written: {error.strerror}") from error
    return [name for name, _ in targets if name != STANDARD_STREAM]


def _tell(plan: Plan, result: Result, files: list[str]) -> None:
    """Say what was found and written, on standard error if standard output has been written to."""
    err = STANDARD_STREAM in (plan.output, plan.json_output)
    of_the_file = () if plan.boxes is None else (*plan.boxes.notes, *list_failures([*plan.boxes.failures]))
    for note in (*of_the_file, *result.notes):
        say(f"hiseg: {note}", err=True)
    if plan.picture is PictureType.JPEG and plan.mask_format is MaskFormat.CUTOUT and plan.output is not None:
        say("hiseg: JPEG has no transparency, so the cut-out is on white; .png and .webp keep it", err=True)
    if plan.output is not None and plan.json_output is None and plan.mask_format not in (None, _picture_format(plan)):
        say(f"hiseg: the picture is an overlay; --json FILE writes --mask-format {plan.mask_format}", err=True)
    for instance in result.found:
        corners = ", ".join(f"{v:g}" for v in instance.box)
        whose = f"box {corners}" if result.foreground is None else "everybody"
        surely = f", found with {instance.found.score:.2f}" if instance.found else ""
        say(f"{whose}: {instance.area} pixels, score {instance.score:.2f}{surely}", err=err)
    timings = [f"{stage} {result.timings_ms[stage]:.1f} ms" for stage in STAGES if stage in result.timings_ms]
    say("  ".join(timings), err=err)
    if files:
        say(f"wrote {', '.join(files)}", err=err)
    if plan.output is None and plan.json_output is None:
        say("hiseg: nothing written; -o out.png writes a picture, --json out.json the masks", err=True)
