"""Which photos are meant by files, folders and patterns on a command line, and what each one's results are called."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath

from hiseg.core.command_errors import CommandError
from hiseg.photos.journal import NAME

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"})
"""Ends of names, in small letters, of files in folders that are taken for photos."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}.+")
HIDDEN = "."


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that is taken for a photo.

    Attributes:
        path: where it is.
        name: its path below the folder that all photos are in, with ``/`` between folders.
        stem: path and name of its results, without their ends; no two photos have the same.
    """

    path: Path
    name: str
    stem: str


@dataclass(slots=True)
class Listing:
    """What is found.

    Attributes:
        photos: in the order of their names.
        others: number of files that aren't photos by their names, and are left out.
        results: number of folders that are left out, since an earlier run wrote its results there.
        unreadable: folders that can't be read, and why.
    """

    photos: list[Photo] = field(default_factory=list)
    others: int = 0
    results: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def refuse_url(argument: str, command: str = "hiseg run") -> None:
    """Raise if an argument is a URL.

    Args:
        argument: what was given in place of a file.
        command: what can read from standard input instead.

    Raises:
        CommandError: it is one; the sentence says what to do instead.
    """
    if URL.fullmatch(argument) and not os.path.lexists(argument):
        if argument.lower().startswith("file:"):
            raise CommandError(f"{argument} is a URL; give the file's path instead")
        raise CommandError(
            f"{argument} is a URL, and hiseg fetches nothing from anywhere; download it first: "
            f"curl -sSL '{argument}' | {command} - …"
        )


def find_photos(arguments: Sequence[str], output: Path | None = None) -> Listing:
    """Find the photos that are meant.

    Folders are searched with all that is in them, but for what is hidden and what an earlier run has written; links
    are followed, but into no folder twice. Of them, and of patterns, only files are taken that are photos by their
    names; a file that is named outright is taken whatever it is called.

    Args:
        arguments: paths of files and folders, or patterns with ``*``, ``?``, ``[…]`` and ``**``.
        output: the folder that results are written to: what is in it is no photo, though it lies in a folder of photos.

    Raises:
        CommandError: an argument leads to nothing, or ``output`` is a folder of photos itself.
    """
    listing = Listing()
    search = _Search(listing, None if output is None else output.absolute())
    roots: list[Path] = []
    for argument in arguments:
        refuse_url(argument)
        roots.append(search.add(argument, is_alone=len(arguments) == 1))
    found = dict.fromkeys(search.found)
    base = Path(os.path.commonpath(roots)) if roots else Path()
    if output is not None:
        _check_output(output, search)
    names = {path: Path(os.path.relpath(path, base)).as_posix() for path in found}
    stems = _stems(list(names.values()))
    listing.photos = [Photo(path, name, stems[name]) for path, name in sorted(names.items(), key=lambda item: item[1])]
    return listing


class _Search:
    """Collects files.

    Args:
        listing: gets what isn't taken.
        pruned: a folder that isn't looked into, absolute; None: none.
    """

    def __init__(self, listing: Listing, pruned: Path | None) -> None:
        self.found: list[Path] = []
        # Folders that photos are in, by where links lead to.
        self.walked: dict[str, Path] = {}
        self.is_output_within = False
        self._listing = listing
        self._pruned = None if pruned is None else os.path.realpath(pruned)
        self._seen: set[str] = set()

    def add(self, argument: str, is_alone: bool) -> Path:
        """Add what an argument leads to; returns the folder that names begin at."""
        path = Path(argument).absolute()
        if path.is_dir():
            self.walked[os.path.realpath(path)] = path
            self._walk(path, is_root=True)
            return path if is_alone else path.parent
        if os.path.lexists(path):
            self._add_file(path)
            return path.parent
        if not glob.has_magic(argument):
            raise CommandError(f"{argument} does not exist")
        base = _plain_part(path)
        if os.path.realpath(base) == self._pruned:
            self._pruned = None  # which is refused, since it is where the photos are
        before = len(self.found), self._listing.others
        # What lies less deep comes first: a link in a folder may lead back to it, and the shorter names are meant.
        for match in sorted(glob.iglob(argument, recursive=True), key=lambda name: (name.count(os.sep), name)):
            matched = Path(match).absolute()
            if matched.is_dir():
                self._walk(matched)
            elif self._is_pruned(matched.parent):
                self.is_output_within = True
            elif not self._is_seen(matched.parent):
                self._take(matched)
        if (len(self.found), self._listing.others) == before:
            raise CommandError(f"nothing fits {argument}")
        return base

    def _walk(self, folder: Path, is_root: bool = False) -> None:
        real = os.path.realpath(folder)
        if real == self._pruned:
            self.is_output_within = True
            return
        if real in self._seen:
            return
        self._seen.add(real)
        self.walked.setdefault(real, folder)
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._listing.unreadable.append((str(folder), f"the folder can't be read: {error.strerror}"))
            return
        if not is_root and any(entry.name == NAME for entry in listed):
            self._listing.results += 1
            return
        for entry in listed:
            if entry.name.startswith(HIDDEN):
                continue
            path = folder / entry.name
            if _is_folder(path):
                self._walk(path)
            else:
                self._take(path)

    def _take(self, path: Path) -> None:
        """Take a file that wasn't named outright, if it is a photo by its name; devices and pipes never end."""
        if _is_called_a_photo(path) and _may_be_file(path):
            self._add_file(path)
        else:
            self._listing.others += 1

    def _add_file(self, path: Path) -> None:
        self.walked.setdefault(os.path.realpath(path.parent), path.parent)
        self.found.append(path)

    def _is_seen(self, folder: Path) -> bool:
        """Whether photos of a folder were found by another path already, which differs by links."""
        return self.walked.get(os.path.realpath(folder), folder) != folder

    def _is_pruned(self, folder: Path) -> bool:
        real = os.path.realpath(folder)
        return self._pruned is not None and (real == self._pruned or real.startswith(self._pruned + os.sep))


def _is_called_a_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(HIDDEN)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a link to itself
        return False


def _may_be_file(path: Path) -> bool:
    """Whether reading it tells something: a file, or what can't be read, which then is an error of its own."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _plain_part(pattern: Path) -> Path:
    """The folders of a pattern that stand before the first one with a wildcard."""
    return Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts[:-1]))


def _check_output(output: Path, search: _Search) -> None:
    """Refuse to write beside photos, where results would be read as photos the next time, or take their names.

    Raises:
        CommandError: the folder is one of photos.
    """
    folder = search.walked.get(os.path.realpath(output))
    if folder is None and search.is_output_within and not (output / NAME).exists():
        # Below the photos, and not from an earlier run: its photos would be left out without a word.
        folder = next((output.absolute().parent for path in output.iterdir() if _is_called_a_photo(path)), None)
    if folder is not None:
        raise CommandError(
            f"-o: {output} is a folder of photos; choose another for the results, such as {folder / 'masks'}"
        )


def _stems(names: Sequence[str]) -> dict[str, str]:
    """What results are called: as the photo without its suffix, or with it where two photos would be called the same.

    Small and capital letters count as the same, since they are to some file systems.
    """
    stems = {name: str(PurePosixPath(name).with_suffix("")) for name in names}
    while True:
        counts = Counter(stem.casefold() for stem in stems.values())
        clashing = [name for name, stem in stems.items() if counts[stem.casefold()] > 1 and stem != name]
        if not clashing:
            return stems
        stems |= {name: name for name in clashing}
