"""Writes a COCO file with masks: what was read, with three fields of each person's annotation, and nothing else new."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hiseg.core.coco_file import name_row
from hiseg.core.command_errors import CommandError
from hiseg.photos.coco_boxes import Document
from hiseg.photos.done import Entry
from hiseg.photos.pipeline import Failure
from hiseg.photos.whole_file import write_whole

SCORE, SCORE_BESIDE = "score", "mask_score"
"""The field of a mask's score, and the one for annotations that have a score already: a detector's, say."""


@dataclass(slots=True)
class Filled:
    """What a document got.

    Attributes:
        masks: number of annotations that have a mask now.
        empty: number of those masks without a pixel.
        failures: people who got none.
    """

    masks: int = 0
    empty: int = 0
    failures: list[Failure] = field(default_factory=list)


def fill(document: Document, entries: Mapping[int, Entry]) -> Filled:
    """Put masks into a document: ``segmentation`` and ``area``, which are replaced, and ``score``.

    An image whose width or height isn't said, or is text, gets them as numbers, since pycocotools can't read masks
    without.
    """
    filled = Filled()
    for photo in document.photos:
        entry = entries.get(photo.place)
        if entry is None:
            continue
        for one in entry.people:
            row = document.rows[one.place]
            row |= {"segmentation": one.segmentation, "area": one.area}
            row[SCORE if row.get(SCORE) is None else SCORE_BESIDE] = one.score
            filled.masks += 1
            filled.empty += not one.area
        for place in entry.outside:
            where = f"{photo.shown}, {name_row(place, document.rows[place])}"
            filled.failures.append(Failure(where, "its bbox has no pixel of the photo inside"))
        image = document.images[photo.place]
        for side, real in (("width", entry.width), ("height", entry.height)):
            if not image.get(side) or isinstance(image[side], str):
                image[side] = real
    return filled


def to_bytes(content: Any, packed: bool) -> bytes:
    """Write a document as JSON in UTF-8.

    Args:
        content: the document.
        packed: whether it is packed with gzip.
    """
    try:
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a pair of UTF-16, which only an escape can say
        data = json.dumps(content, separators=(",", ":")).encode()
    data += b"\n"
    return gzip.compress(data, mtime=0) if packed else data


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that under its name there is all of it or what was there before, whenever the process ends.

    Raises:
        CommandError: it can't be written.
    """
    try:
        write_whole(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise CommandError(f"-o: {path} can't be written: {error.strerror}") from error
