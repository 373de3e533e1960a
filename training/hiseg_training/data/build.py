"""Filters plain COCO files for training: people only, images with crowds left out, and small subsets."""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hiseg.core.coco_file import PERSON, AnnotationError, image_rows, person_categories
from hiseg.core.fields import identifier
from hiseg_training.data.coco import people_in
from hiseg_training.data.coco_file import PersonRow, load_coco, person_rows
from hiseg_training.data.skipped import Problems, Skipped, Tell, silent

SUFFIX = "person_only_no_crowd"
SUBSETS = (100, 500)
"""Numbers of images in the subsets for development."""


def build(
    annotations: Path,
    folder: Path,
    seed: int = 0,
    subsets: Sequence[int] = SUBSETS,
    images: Path = Path(),
    categories: Collection[str] = (PERSON,),
    tell: Tell = silent,
) -> list[Path]:
    """Write ``<name>_person_only_no_crowd.json`` and, beside it, its subsets ``…_100imgs.json`` and so on.

    Images without people, and images with a crowd annotation (``iscrowd``), are left out whole; so are other
    categories. Ids and annotations stay as they are, and the categories of people are called person. A subset is a
    random choice, the same for the same seed, and part of every larger subset; none is written that would not be
    smaller than the whole.

    Args:
        annotations: the COCO file to filter.
        folder: where the new files are written.
        seed: of the random choice of subsets.
        subsets: numbers of images in the subsets.
        images: folder of the images; looked into only for sizes that the file lacks.
        categories: names of the categories that are people.
        tell: gets a line for what was read, and one for each reason why something was left out.

    Returns:
        The paths of the files that were written, the whole first.

    Raises:
        FileNotFoundError, AnnotationError: those of :func:`~hiseg_training.data.coco.read_people`.
        AnnotationError: there is a crowd in every image with people.
    """
    content = load_coco(annotations)
    people_in(content, annotations, images, categories, tell)
    persons = person_categories(content, annotations, categories)
    rows = list(person_rows(content, persons, image_rows(content, annotations), Skipped(), Problems(annotations)))
    crowded = {row.image for row in rows if row.crowd}
    peopled = {row.image for row in rows} - crowded
    if crowded:
        tell(f"  left out: {len(crowded)} x image with a crowd, as nobody in it is outlined")
    if not peopled:
        raise AnnotationError(f"{annotations}: there is a crowd (iscrowd) in each of its images with people")
    content["categories"] = [
        category | {"name": PERSON} for category in content["categories"] if identifier(category["id"]) in persons
    ] or [{"id": number, "name": PERSON} for number in persons]
    name = f"{annotations.name.removesuffix('.gz').removesuffix('.json')}_{SUFFIX}"
    written = [_write(folder / f"{name}.json", content, rows, peopled)]
    numbers = sorted(peopled, key=lambda number: (isinstance(number, str), number))
    order = np.random.default_rng(seed).permutation(len(numbers))
    for size in sorted(subsets):
        if size < len(peopled):
            chosen = {numbers[index] for index in order[:size]}
            written.append(_write(folder / f"{name}_{size}imgs.json", content, rows, chosen))
    return written


def _write(path: Path, content: dict[str, Any], rows: Sequence[PersonRow], images: set[Hashable]) -> Path:
    """Write the part of a COCO file about some image ids, atomically, and return ``path``."""
    part = content | {
        "images": [image for image in content["images"] if identifier(image["id"]) in images],
        "annotations": [row.row for row in rows if row.image in images],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(part))
    partial.replace(path)
    return path
