"""Writes the files of many photos: each is read, segmented, drawn and remembered before it counts as done."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hiseg.client.result import Result
from hiseg.core.command_errors import CommandError
from hiseg.core.errors import HisegError
from hiseg.core.result import ForegroundSource
from hiseg.photos.drawing import Drawing
from hiseg.photos.journal import AGAIN, FINDER_MODEL, FOREGROUND_MODEL, MODEL, Entry, Journal
from hiseg.photos.listing import Photo
from hiseg.photos.masker import Masker
from hiseg.photos.pipeline import LISTED, PhotoError, Room
from hiseg.photos.whole_file import write_whole

OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""Errors of writing that the next photo would meet too."""


class Lines:
    """A file of JSON lines, one for each photo in the order in which they are done.

    Args:
        file: where they go.
        name: of the file, for messages.
        can_seek: whether it is a file, whose length is known.
    """

    def __init__(self, file: IO[bytes], name: str, can_seek: bool) -> None:
        self._file = file
        self._name = name
        self._can_seek = can_seek

    def add(self, photo: str, answer: bytes) -> int:
        """Add a photo's line, and return the length of the file in bytes, or 0 if that isn't known.

        Args:
            photo: its name.
            answer: the answer as a JSON object.

        Raises:
            CommandError: it can't be written.
            BrokenPipeError: nobody reads it any more.
        """
        try:
            self._file.write(b'{"photo":' + json.dumps(photo).encode() + b"," + answer[1:])
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"--json: {self._name} can't be written: {error.strerror}") from error
        return self._file.tell() if self._can_seek else 0


@contextmanager
def open_lines(path: Path, journal: Journal, overwrite: bool) -> Iterator[Lines]:
    """Open a file of JSON lines until the end of the block, without what was written after the last photo was done.

    Raises:
        CommandError: it has other lines than those of this run, or can't be written.
    """
    try:
        size = path.stat().st_size if path.exists() else 0
        if overwrite:
            size = 0
        elif size < journal.lines_end or (size and not journal.lines_end):
            raise CommandError(f"--json: {path} isn't what this run wrote before; choose another name, or {AGAIN}")
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(journal.lines_end)
            file.seek(journal.lines_end)
            yield Lines(file, str(path), can_seek=True)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandError(f"--json: {path} can't be written: {error.strerror}") from error


@dataclass(slots=True)
class Tally:
    """What has come of the photos.

    Attributes:
        done: number of photos that are done now.
        noted: number of photos of which there is something to say.
        notes: what there is to say, of the first few.
    """

    done: int = 0
    noted: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, photo: str, notes: Sequence[str]) -> None:
        """Count a photo, and keep its notes."""
        self.done += 1
        if notes:
            self.noted += 1
            if len(self.notes) < LISTED:
                self.notes.append(f"{photo}: {'; '.join(notes)}")


@dataclass(frozen=True)
class Work:
    """What is done for each photo.

    Attributes:
        masker: makes the masks.
        boxes: of a photo, by its name; None: it has none, and people are found in it, or it needs none.
        output: the folder of results; None: no files.
        drawing: makes the files and the lines.
        journal: remembers what is done.
        lines: get an answer for each photo; None: nothing does.
        tally: counts.
        key: of a photo, for the journal.
    """

    masker: Masker
    boxes: Callable[[Photo], Sequence[Sequence[float]] | None]
    output: Path | None
    drawing: Drawing
    journal: Journal | None
    lines: Lines | None
    tally: Tally
    key: Callable[[Photo], str]
    room: Room = field(default_factory=Room)

    async def do(self, photo: Photo) -> None:
        """Do all that there is to do for a photo.

        Raises:
            PhotoError: it, its boxes or its results can't be read, segmented or written.
            CommandError: the same holds for all photos.
        """
        try:
            found, key = photo.path.stat(), self.key(photo)
            if not stat.S_ISREG(found.st_mode):  # a pipe may never end; of folders' files they are left out
                raise PhotoError("it is a pipe or a device, and not a file")
            async with self.room.take(found.st_size):
                content = await asyncio.to_thread(photo.path.read_bytes)
                write = _Writing(self, photo, content)
                await self.masker.segment(content, self.boxes(photo), write)
        except OSError as error:
            raise PhotoError(f"it can't be read: {error.strerror or error}") from error
        end = 0
        if self.lines is not None and write.answer is not None:
            end = self.lines.add(photo.name, write.answer)
        if self.journal is not None:
            self.journal.add(Entry(photo.name, key, tuple(write.files), end))
        self.tally.add(photo.name, write.notes)


class _Writing:
    """Makes and writes a photo's files, in a worker thread.

    Args:
        work: what is done for each photo.
        photo: this one.
        content: the encoded image.
    """

    def __init__(self, work: Work, photo: Photo, content: bytes) -> None:
        self.files: list[str] = []
        self.answer: bytes | None = None
        self.notes: tuple[str, ...] = ()
        self._work = work
        self._photo = photo
        self._content = content

    def __call__(self, result: Result) -> None:
        """Write what is asked for.

        Raises:
            PhotoError: this photo's can't be made or written.
            CommandError: no photo's can.
        """
        work = self._work
        if work.journal is not None:
            of_image = result.foreground_source == ForegroundSource.IMAGE
            name = FOREGROUND_MODEL if of_image else MODEL
            work.journal.check_model(f"{result.model.name}/{result.model.version}", name)
            if result.finder:
                work.journal.check_model(f"{result.finder.name}/{result.finder.version}", FINDER_MODEL)
        self.notes = result.notes
        try:
            if work.output is not None:
                ends = work.drawing.ends(len(result.found))
                for end, data in zip(ends, work.drawing.files(self._content, result), strict=True):
                    self._save(work.output, f"{self._photo.stem}{end}", data)
            if work.lines is not None:
                self.answer = work.drawing.json(self._content, result)
        except HisegError as error:
            raise PhotoError(error.detail) from error

    def _save(self, folder: Path, name: str, data: bytes) -> None:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            told = f"{path} can't be written: {error.strerror}"
            raise (CommandError if error.errno in OF_THE_DISK else PhotoError)(told) from error
        self.files.append(os.fspath(name))
