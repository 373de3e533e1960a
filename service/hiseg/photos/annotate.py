"""Gives the boxes of a COCO file masks: finds and reads the photos, has people outlined, remembers what is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hiseg.client.result import Result
from hiseg.core.command_errors import CommandError
from hiseg.core.errors import HisegError
from hiseg.core.image_folder import ImageFolder
from hiseg.images.headers.read import read_header
from hiseg.photos.coco_boxes import Photo
from hiseg.photos.done import Done, Entry, Outlined
from hiseg.photos.masker import Masker
from hiseg.photos.pipeline import Failure, PhotoError, Room, process
from hiseg.photos.segmentation import SegmentationFormat, to_segmentation

MAX_PASSES = 3
"""How often photos are done at most, because a service got another model meanwhile."""


class Located(NamedTuple):
    """A photo and its file.

    Attributes:
        photo: as the COCO file has it.
        path: of the file.
        stamp: the file's size in bytes and its time in nanoseconds.
    """

    photo: Photo
    path: Path
    stamp: list[int]


@dataclass(frozen=True, slots=True)
class Form:
    """How masks are written.

    Attributes:
        format: the form of ``segmentation``.
        tolerance_px: how far, in pixels, lines of polygons may be simplified.
    """

    format: SegmentationFormat
    tolerance_px: float


def locate(photos: Sequence[Photo], images: Path) -> tuple[list[Located], list[Failure]]:
    """Find the files of photos in a folder; returns those that are found, and why the others aren't.

    Raises:
        CommandError: the folder isn't there, or none of the photos is in it.
    """
    if not images.is_dir():
        raise CommandError(f"--images: {images} is no folder")
    folder = ImageFolder(images)
    found: list[Located] = []
    failures: list[Failure] = []
    names: dict[Path, str] = {}
    for photo in photos:
        path = folder.find(photo.name)
        if path is None:
            failures.append(Failure(photo.shown, f"is not in {images}, or more than one file there may be meant"))
        elif names.setdefault(path, photo.name) != photo.name:
            failures.append(Failure(photo.shown, f"would be {path}, as {names[path]} is: it can't be both"))
        else:
            status = path.stat()
            found.append(Located(photo, path, [status.st_size, status.st_mtime_ns]))
    if not found and failures:
        raise CommandError(f"--images: none of the {len(failures)} photos can be had; the first, {failures[0]}")
    return found, failures


async def annotate(
    photos: Sequence[Located], masker: Masker, form: Form, done: Done, progress: Callable[[int], None]
) -> list[Failure]:
    """Have everybody outlined who isn't yet.

    Args:
        photos: with their files.
        masker: makes the masks; its boxes are ``xywh``.
        form: how masks are written.
        done: knows what is done, and gets what is done now.
        progress: called after every photo with how many have failed.

    Returns:
        The photos that can't be done.

    Raises:
        CommandError: none could be done now, or what is done can't be remembered.
        asyncio.CancelledError: this task was cancelled.
    """
    room = Room()
    answered: list[str] = []
    failed = 0

    async def work(located: Located) -> None:
        nonlocal failed
        try:
            async with room.take(located.stamp[0]):
                entry = await _outline(located, masker, form)
        except PhotoError:
            failed += 1
            raise
        answered.append(entry.model)
        done.add(entry)

    stamps = {located.photo.place: located.stamp for located in photos}
    done.forget(lambda entry: stamps.get(entry.photo) != entry.stamp or masker.model not in (None, entry.model))
    failures: list[Failure] = []
    for remaining in reversed(range(MAX_PASSES)):
        todo = [located for located in photos if located.photo.place not in done.entries]
        failures = await process(todo, work, lambda located: located.photo.shown, lambda: progress(failed))
        if not (answered and remaining and done.forget(lambda entry: entry.model != answered[-1])):
            break
    return failures


async def _outline(located: Located, masker: Masker, form: Form) -> Entry:
    """Read a photo and have its people outlined.

    Raises:
        PhotoError: it can't be read, isn't the one that the boxes were drawn on, or can't be segmented.
        CommandError: none could be now.
    """
    photo, (data, width, height) = located.photo, await asyncio.to_thread(_read, located)
    outside = [one.place for one in photo.people if not _has_pixels(one.box, width, height)]
    if len(outside) == len(photo.people):
        raise PhotoError("no box has a pixel of it inside")

    def write(result: Result) -> tuple[str, list[Outlined]]:
        found = [
            Outlined(one.place, to_segmentation(mask, form.format, form.tolerance_px), mask.area, round(mask.score, 4))
            for one, mask in zip(photo.people, result.instances, strict=True)
            if one.place not in outside
        ]
        return f"{result.model.name}/{result.model.version}", found

    model, people = await masker.segment(data, [one.box for one in photo.people], write)
    return Entry(photo.place, located.stamp, model, width, height, people, outside)


def _read(located: Located) -> tuple[bytes, int, int]:
    """Read a file; returns it with the width and height of the photo, which must be those that the COCO file says."""
    try:
        data = located.path.read_bytes()
    except OSError as error:
        raise PhotoError(f"can't be read: {error.strerror or error}") from error
    try:
        header = read_header(data)
    except HisegError as error:
        raise PhotoError(error.detail) from error
    height, width = header.upright_size
    said = located.photo.size
    if said[0] in (0, width) and said[1] in (0, height):
        return data, width, height
    sizes = f"is {width} x {height} pixels, and by the boxes' file {said[0] or '?'} x {said[1] or '?'}"
    if header.is_on_its_side and said == (height, width):
        turned = "its EXIF orientation turns it, and the boxes are those of the photo as it is stored"
        raise PhotoError(f"{sizes}: {turned}; turn the boxes, or take the orientation out of the photo")
    raise PhotoError(f"{sizes}: the boxes are of another photo, or of another size of it")


def _has_pixels(box: Sequence[float], width: int, height: int) -> bool:
    """Whether a box, ``x y width height``, has at least the area of a pixel in an image."""
    across = min(box[0] + box[2], width) - max(box[0], 0.0)
    down = min(box[1] + box[3], height) - max(box[1], 0.0)
    return across > 0 and down > 0 and across * down >= 1
