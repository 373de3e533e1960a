"""Remembers which photos are done and how, so that a run that was interrupted goes on where it was.

It is a file of JSON lines: the options first, then a line for each photo, added once the photo's files are whole. So a
run that ends at any moment, by Ctrl-C or a power cut, has at most its last line torn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hiseg.core.command_errors import CommandError
from hiseg.photos.line_file import LineFile, open_lines

NAME = ".hiseg-run.jsonl"
"""The file in a folder of results; hidden, so that nobody takes it for one."""
MODEL, FOREGROUND_MODEL, FINDER_MODEL = MODELS = ("model", "foreground_model", "finder_model")
"""Names of the lines that say which model made results of boxes, which those of images, and which found people."""
AGAIN = "--overwrite does all photos again"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a photo.

    Attributes:
        photo: its name.
        key: stands for its file and its boxes; see :func:`key_of`.
        files: paths of what was made of it, below the folder of results.
        end: length of the file of JSON lines, in bytes, once the photo's line was written; 0: there is no such file.
    """

    photo: str
    key: str
    files: tuple[str, ...]
    end: int = 0


def key_of(path: Path, rows: Sequence[Sequence[float]] | None, stem: str) -> str:
    """A short text that changes when the file, its boxes or the names of its results do.

    Raises:
        OSError: there is no such file.
    """
    found = path.stat()
    told = json.dumps([found.st_size, found.st_mtime_ns, None if rows is None else [list(row) for row in rows], stem])
    return blake2b(told.encode(), digest_size=8).hexdigest()


class Journal:
    """What is done already, and what gets done; see :func:`open_journal`.

    Args:
        folder: of the results.
        file: of the journal.
        options: what decides what results are like, still to be written; None: they stand in the file.
        entries: of photos that are done.
        models: name and version of the model that made the results of boxes, and of the one that made those of images
            without boxes, by their names in the file; those that aren't known yet are left out.

    Attributes:
        is_new: whether it was begun just now, so that no file in the folder of results is known.
        lines_end: length of the file of JSON lines when the last photo was done, in bytes.
    """

    def __init__(
        self,
        folder: Path,
        file: LineFile,
        options: Mapping[str, Any] | None,
        entries: Iterable[Entry],
        models: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._file = file
        self._options = options
        self._done = {entry.photo: entry for entry in entries}
        self._models = {**models}
        self.is_new = options is not None
        self.lines_end = max((entry.end for entry in self._done.values()), default=0)

    def is_done(self, photo: str, key: str) -> bool:
        """Whether a photo is done, is as it was then, and all that was made of it is still there."""
        entry = self._done.get(photo)
        return entry is not None and entry.key == key and all((self._folder / name).exists() for name in entry.files)

    def has(self, photo: str) -> bool:
        """Whether a photo was done, though perhaps with other boxes."""
        return photo in self._done

    def check_model(self, model: str, name: str = MODEL) -> None:
        """Make sure that all results are of one model, and remember which.

        Args:
            model: its name and version.
            name: what it did, one of :data:`MODELS`: of each there may be another.

        Raises:
            CommandError: those before are of another, or the file can't be written.
        """
        if name not in self._models:
            self._models[name] = model
            self._write({name: model})
        if model != self._models[name]:
            raise CommandError(
                f"results so far are of the model {self._models[name]}, and now {model} answers; ask for that one, "
                f"write elsewhere, or {AGAIN}"
            )

    def add(self, entry: Entry) -> None:
        """Remember that a photo is done; its files must be whole.

        Raises:
            CommandError: the file can't be written.
        """
        self._done[entry.photo] = entry
        self._write({"photo": entry.photo, "key": entry.key, "files": entry.files, "end": entry.end})

    def _write(self, fields: Mapping[str, Any]) -> None:
        if self._options is not None:
            # Not before: a run that is refused leaves no journal.
            options, self._options = self._options, None
            self._file.add({"options": options})
        self._file.add(fields)


@contextmanager
def open_journal(path: Path, folder: Path, options: Mapping[str, Any], overwrite: bool) -> Iterator[Journal]:
    """Open a journal, or begin one, until the end of the block.

    Args:
        path: of the file.
        folder: of the results.
        options: all that decides what results are like; they must be what they were when the journal was begun.
        overwrite: forget what is done.

    Raises:
        CommandError: the options were others, another run is at it, or the file can't be read or written.
    """
    with open_lines(path, f"another run writes to {folder} just now") as file:
        if overwrite:
            file.clear()
        given = json.loads(json.dumps(options))
        if file.lines:
            _compare(path, folder, file.lines[0], given)
        try:
            entries = [
                Entry(line["photo"], line["key"], tuple(line["files"]), line["end"])
                for line in file.lines
                if "photo" in line
            ]
        except (KeyError, TypeError) as error:
            raise CommandError(f"{path} isn't as hiseg writes it; move it away, or {AGAIN}") from error
        models = {name: line[name] for line in reversed(file.lines) for name in MODELS if name in line}
        try:
            yield Journal(folder, file, None if file.lines else given, entries, models)
        finally:
            if not path.stat().st_size:
                path.unlink()


def _compare(path: Path, folder: Path, first: Any, now: Mapping[str, Any]) -> None:
    """Raise if the options have changed: results of two kinds in one folder look alike and aren't."""
    before = first.get("options") if isinstance(first, dict) else None
    if not isinstance(before, dict):
        raise CommandError(f"{path} isn't as hiseg writes it; move it away, or {AGAIN}")
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if changed:
        name = changed[0]
        was, will = ("not given" if each.get(name) is None else each[name] for each in (before, now))
        raise CommandError(
            f"{folder} has results of other options: --{name.replace('_', '-')} was {was} and is {will} now; write "
            f"elsewhere, or {AGAIN}"
        )
