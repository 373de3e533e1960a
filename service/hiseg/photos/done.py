"""Remembers which photos of a COCO file are done, so that a command that was ended at any moment goes on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hiseg.core.command_errors import CommandError
from hiseg.photos.line_file import LineFile, open_lines

SUFFIX = ".partial"
"""How the name of the file ends that is kept beside the output, until all is done."""
MAGIC = "hiseg annotate"
VERSION = 1
"""Of what the file contains."""


class Outlined(NamedTuple):
    """An annotation's mask.

    Attributes:
        place: of the annotation in its list, from 0.
        segmentation: as COCO has it.
        area: pixels of the mask.
        score: mean probability of the mask's pixels.
    """

    place: int
    segmentation: Any
    area: int
    score: float


class Entry(NamedTuple):
    """What came of a photo.

    Attributes:
        photo: its place in the list of images, from 0.
        stamp: size and time of its file, which is another one if they change.
        model: name and version of the model.
        width: of the photo, pixels.
        height: of the photo, pixels.
        people: masks.
        outside: places of annotations whose box has no pixel of the photo in it.
    """

    photo: int
    stamp: list[int]
    model: str
    width: int
    height: int
    people: list[Outlined]
    outside: list[int]


class Done:
    """What is done, by photo; see :func:`open_done`.

    Attributes:
        entries: what came of photos, by their place in the list of images.
        began_anew: whether boxes or options were others when what was done before was done.
    """

    def __init__(self, file: LineFile | None, fingerprint: str) -> None:
        self._file = file
        self.entries: dict[int, Entry] = {}
        self.began_anew = False
        if file is None:
            return
        head = {"of": MAGIC, "version": VERSION, "fingerprint": fingerprint}
        if file.lines and file.lines[0] == head:
            self.entries = {entry.photo: entry for entry in map(_entry, file.lines[1:])}
            return
        if file.lines:
            if not isinstance(file.lines[0], dict) or file.lines[0].get("of") != MAGIC:
                raise CommandError(f"{file.path} isn't of hiseg annotate; move it away")
            self.began_anew = True
        file.clear()
        file.add(head)

    def add(self, entry: Entry) -> None:
        """Remember what came of a photo.

        Raises:
            CommandError: it can't be written.
        """
        self.entries[entry.photo] = entry
        if self._file is not None:
            self._file.add(entry)

    def forget(self, is_old: Callable[[Entry], bool]) -> int:
        """Forget what came of some photos, and return of how many."""
        old = [place for place, entry in self.entries.items() if is_old(entry)]
        for place in old:
            del self.entries[place]
        return len(old)

    def remove(self) -> None:
        """Remove the file: all that it remembers is in the output."""
        if self._file is not None:
            self._file.path.unlink(missing_ok=True)


def _entry(line: Any) -> Entry:
    entry = Entry(*line)
    return entry._replace(people=[Outlined(*one) for one in entry.people])


@contextmanager
def open_done(output: Path | None, fingerprint: str) -> Iterator[Done]:
    """Find out what is done already, and let more be added until the end of the block.

    Args:
        output: the file that is to be written at the end; None: it is none that could be gone on with.
        fingerprint: stands for the boxes and the options; what was done with others is forgotten.

    Raises:
        CommandError: another process writes the same output, or the file beside it can't be used.
    """
    if output is None:
        yield Done(None, fingerprint)
        return
    with open_lines(partial_path(output), f"another hiseg annotate is writing {output} now") as file:
        try:
            done = Done(file, fingerprint)
        except (TypeError, ValueError) as error:
            raise CommandError(f"{file.path} isn't as hiseg writes it; remove it") from error
        try:
            yield done
        finally:
            if not done.entries:
                done.remove()


def partial_path(output: Path) -> Path:
    """The file that remembers what is done of an output."""
    return output.with_name(output.name + SUFFIX)


def fingerprint_of(contents: Sequence[bytes], **options: Any) -> str:
    """A text that changes when the content of a file does, or an option."""
    told = [hashlib.sha256(content).hexdigest() for content in contents]
    return hashlib.sha256(json.dumps([told, options], sort_keys=True).encode()).hexdigest()
