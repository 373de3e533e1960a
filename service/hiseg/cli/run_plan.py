"""What ``hiseg run`` is asked to do, checked before any work: for one photo and for many."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hiseg.api.boxes import parse_boxes
from hiseg.api.encoding import MaskFormat
from hiseg.cli.standard_streams import STANDARD_STREAM
from hiseg.client.request import FrameOptions
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.errors import InvalidRequest
from hiseg.core.extras import needing
from hiseg.core.job import Mode
from hiseg.masks.formats.picture import SUFFIXES, PictureType
from hiseg.photos.box_file import BoxFile, read_box_file
from hiseg.photos.drawing import WITHOUT_LOSS
from hiseg.photos.open import can_find

if TYPE_CHECKING:
    from hiseg.settings import Settings

NUMBER = re.compile(r"\s*[+-]?[\d.]+\s*", re.ASCII)
NEED_SERVICE = (MaskFormat.OVERLAY, MaskFormat.CUTOUT, MaskFormat.POLYGON)
NEED_SERVICE_IN_JSON = (MaskFormat.CUTOUT, MaskFormat.POLYGON, MaskFormat.PNG)
"""Formats that are made with libraries of the extra ``service``, as files and within the answer."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        photos: the arguments: files, folders, patterns, or ``-`` for standard input.
        boxes: the file of boxes; None: there is none.
        rows: boxes of every photo, as ``--box`` gives them.
        output: a file, a folder or ``-``, as it was typed; None: no pictures.
        json_output: a file or ``-``; None: no JSON.
        mask_format: what is written; None: overlays, and run lengths in JSON.
        picture: type of pictures; None: as the name of ``output`` says, or PNG.
        tolerance_px: how far outlines of polygons may be simplified, in pixels.
        options: options of every photo, by the service's names.
        settings: reads the settings, for models that run in this process.
        server: URL of the service; None: the model runs in this process.
        api_key: of the service.
        overwrite: results are made again though they are there.
    """

    photos: list[str]
    boxes: BoxFile | None
    rows: list[list[float]]
    output: str | None
    json_output: str | None
    mask_format: MaskFormat | None
    picture: PictureType | None
    tolerance_px: float
    options: FrameOptions
    settings: Callable[[], Settings]
    server: str | None
    api_key: str | None
    overwrite: bool

    @property
    def is_binary(self) -> bool:
        """Whether everybody's mask is asked for, which needs no boxes."""
        return self.options.get("mode") == Mode.BINARY.value

    @property
    def finds(self) -> bool:
        """Whether people are to be found: it is asked for, or there are no boxes, and the mode needs them."""
        has_boxes = self.boxes is not None or bool(self.rows)
        return bool(self.options.get("find")) or not (has_boxes or self.is_binary)


def is_one(photos: list[str], output: str | None) -> bool:
    """Whether one photo is meant, and ``-o`` is a file; else it is a folder of results."""
    if photos == [STANDARD_STREAM]:
        return True
    is_folder = output is not None and output != STANDARD_STREAM and (output.endswith(("/", os.sep)) or is_dir(output))
    if len(photos) != 1 or is_dir(photos[0]) or is_folder:
        return False
    return os.path.lexists(photos[0]) or not glob.has_magic(photos[0])


def is_dir(path: str) -> bool:
    """Whether a path leads to a folder."""
    return os.path.isdir(path)


def check_box_option(box: list[str], photos: list[str]) -> None:
    """Refuse ``--box 22 15 365 512``, of which the last three numbers are taken for photos.

    Raises:
        BadOption: it was meant so.
    """
    for each in box:
        if NUMBER.fullmatch(each):
            rest = [photo for photo in photos if NUMBER.fullmatch(photo) and not os.path.lexists(photo)]
            meant = ",".join([each.strip(), *rest[:3]]) if len(rest) >= 3 else "22,15,365,512"
            raise BadOption(
                "--box", each, f"is one number; a box's four go together, with commas and no blanks: --box {meant}"
            )


def read_boxes(
    boxes: Path | None, box: list[str], categories: list[str], options: FrameOptions
) -> tuple[BoxFile | None, list[list[float]]]:
    """Read the boxes of both options.

    Raises:
        CommandError: both are given, a box isn't four numbers, or the file can't be used.
    """
    if boxes is not None and box:
        raise CommandError("give either --boxes or --box")
    if boxes is None:
        if categories:
            raise CommandError("--category is for a COCO file; give it with --boxes")
        return None, [row for each in box for row in _rows(each)]
    read = read_box_file(boxes, categories)
    if read.is_coco and (options.get("normalized") or options.get("box_format", "xyxy") != "xyxy"):
        raise CommandError(
            f"{boxes} is a COCO file, whose boxes are always x, y, width and height in pixels; leave out --box-format "
            "and --normalized"
        )
    return read, []


def _rows(given: str) -> list[list[float]]:
    """Read one ``--box``.

    Raises:
        BadOption: it isn't four numbers.
    """
    try:
        rows = parse_boxes(given)
    except InvalidRequest as error:
        raise BadOption("--box", given, "isn't four numbers with commas between them") from error
    for row in rows:
        if len(row) != 4:
            raise BadOption("--box", given, f"has {len(row)} number{'s' * (len(row) != 1)}; a box has 4")
    return rows


def check_finder(plan: Plan, how: str) -> None:
    """Refuse to find people where no model could, before any work.

    Args:
        plan: what is to be done.
        how: how boxes can be given.

    Raises:
        CommandError: people are to be found, and there is no model for it; or the service doesn't answer.
    """
    if plan.finds and not can_find(plan.settings, plan.server, plan.api_key):
        what = "nobody can be found" if plan.options.get("find") else "there are no boxes"
        raise CommandError(f"{what}; give {how}, or --mode binary: no model is there that finds people")


def check_formats(plan: Plan, written: MaskFormat) -> None:
    """Refuse what can't be written, and load the libraries that writing needs.

    Args:
        plan: what is to be done.
        written: format of the files that ``-o`` gets.

    Raises:
        CommandError: numbers of people are to be written with loss.
        ExtraMissing: a library isn't installed.
    """
    if plan.picture not in (None, PictureType.PNG) and plan.mask_format in WITHOUT_LOSS:
        raise CommandError(
            f"--mask-format {plan.mask_format} is written as .png alone: .{plan.picture} changes pixels a little, and "
            "here each pixel says whose it is"
        )
    formats = [written] if plan.output is not None and written in NEED_SERVICE else []
    if plan.json_output is not None and plan.mask_format in NEED_SERVICE_IN_JSON:
        formats.append(plan.mask_format)
    if formats:
        with needing(f"--mask-format {formats[0]}"):
            import hiseg.images.encoded
            import hiseg.masks.formats.overlay  # noqa: F401


def picture_of(output: str, given: PictureType | None) -> PictureType:
    """The type of picture that a file's name says.

    Raises:
        BadOption: it says none, or another than ``--output-type``.
    """
    if output == STANDARD_STREAM:
        return given or PictureType.PNG
    found = SUFFIXES.get(Path(output).suffix.lower())
    if found is None:
        hint = _hint_at(output)
        raise BadOption("-o", output, f"ends with none of {', '.join(SUFFIXES)}{hint}")
    if given not in (None, found):
        raise BadOption("-o", output, f"is a .{found}, and --output-type is {given}")
    return found


def _hint_at(output: str) -> str:
    """What may be meant by a file's name that isn't a picture's."""
    suffix = Path(output).suffix.lower()
    if suffix == ".json":
        return "; --json FILE writes the answer"
    if not suffix and not output.endswith(("/", os.sep)):
        return f"; a folder of results is written with a slash at its end: {output}/"
    return ""


def check_file(option: str, path: Path, photo: Path | None) -> None:
    """Check that a file can be written, before any work.

    Raises:
        BadOption: it can't, or it is the photo.
    """
    if path.is_dir():
        raise BadOption(option, str(path), "is a folder")
    parent = path.parent
    if not parent.is_dir():
        raise BadOption(option, str(path), f"can't be written: there is no folder {parent}")
    if photo is not None and path.exists() and photo.exists() and path.samefile(photo):
        raise BadOption(option, str(path), "is the photo itself, which would be lost; choose another name")
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise BadOption(option, str(path), "can't be written: permission denied")


def say(text: str, *, err: bool = False) -> None:
    """Print a line; names that aren't text in the terminal's encoding are shown with marks in place of what isn't."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"  # a stream that was closed by `>&-` is None
    typer.echo(text.encode(encoding, "replace").decode(encoding), err=err)
