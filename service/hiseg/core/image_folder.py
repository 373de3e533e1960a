"""Finds the photos that annotations name in a folder, and nowhere else.

Names come from other machines: with folders that are not here, with backslashes, percent signs, as URLs, in other case.
None of them leads out of the folder, unless by a link that is in it.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote


class ImageFolder:
    """A folder with images, anywhere below it.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """Return the file that an annotation file calls ``name``; None if there is none, or several that may be meant.

        The name as it stands goes first, if it is one below the folder, then ever shorter ends of it, then a file of
        that name anywhere below, with other capitals and other forms of accents too.
        """
        if not Path(name).is_absolute() and ".." not in Path(name).parts and _is_file(path := self.folder / name):
            return path
        for spelling in dict.fromkeys((name, unquote(name), unquote(name.partition("?")[0]))):
            parts = [part for part in spelling.replace("\\", "/").split("/") if part not in ("", ".", "..")]
            for start in range(len(parts)):
                if _is_file(path := self.folder.joinpath(*parts[start:])):
                    return path
        for spelling in (name, unquote(name.partition("?")[0])):
            named = self._below[_plain(spelling.replace("\\", "/").rpartition("/")[2])]
            found = [path for path in named if _is_file(path)]  # and no link to nowhere, or a pipe, which never ends
            if len(found) == 1:
                return found[0]
        return None

    @cached_property
    def _below(self) -> dict[str, list[Path]]:
        """All files below the folder, by their plain names."""
        found: dict[str, list[Path]] = defaultdict(list)
        for folder, _, names in os.walk(self.folder):
            for name in names:
                found[_plain(name)].append(Path(folder, name))
        return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a character that no name can have
        return False


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
