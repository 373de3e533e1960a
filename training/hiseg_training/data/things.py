"""Reads outlines of animals and things that are no people, to be pasted before and beside people."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hiseg.core.coco_file import PERSON, AnnotationError
from hiseg_training.data.coco import Photo, read_annotations
from hiseg_training.data.coco_file import load_coco
from hiseg_training.data.skipped import Tell, silent


def read_things(
    annotations: Path, images: Path, people: Collection[str] = (PERSON,), tell: Tell = silent
) -> list[Photo]:
    """Read photos in which animals or things are outlined, which stand in the place of people.

    Args:
        annotations: the COCO file.
        images: the folder of its images.
        people: names of the categories that are people, in any case; all others are things.
        tell: gets a line for what was read, and one for each reason why something was left out.

    Raises:
        FileNotFoundError, AnnotationError: as of :func:`read_annotations`.
        AnnotationError: the file has no category but people.
    """
    names = {name.strip().casefold() for name in people}
    rows = [(str(row.get("name") or "").strip(), row.get("id")) for row in load_coco(annotations)["categories"]]
    things = [name or str(number) for name, number in rows if name.casefold() not in names]
    if not things:
        raise AnnotationError(f"{annotations}: there is no category besides {', '.join(sorted(people))}")
    return read_annotations(annotations, images, things, tell)
