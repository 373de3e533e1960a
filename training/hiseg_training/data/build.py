"""Filters plain COCO files for training: people only, images with crowds left out, and small subsets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hiseg_training.data.coco import load_coco, person_categories

SUFFIX = "person_only_no_crowd"
SUBSETS = (100, 500)
"""Numbers of images in the subsets for development."""


def build(annotations: Path, folder: Path, seed: int = 0, subsets: Sequence[int] = SUBSETS) -> list[Path]:
    """Write ``<name>_person_only_no_crowd.json`` and, beside it, its subsets ``…_100imgs.json`` and so on.

    Images without people, and images with a crowd annotation (``iscrowd``), are left out whole; so are categories other
    than person. Ids stay as they are. A subset is a random choice, the same for the same seed, and part of every larger
    subset; none is written that would not be smaller than the whole.

    Args:
        annotations: the COCO file to filter.
        folder: where the new files are written.
        seed: of the random choice of subsets.
        subsets: numbers of images in the subsets.

    Returns:
        The paths of the files that were written, the whole first.

    Raises:
        FileNotFoundError, AnnotationError: those of :func:`~hiseg_training.data.coco.load_coco`.
    """
    content = load_coco(annotations)
    persons = person_categories(content, annotations)
    rows = [row for row in content["annotations"] if row["category_id"] in persons]
    crowded = {row["image_id"] for row in rows if row.get("iscrowd")}
    peopled = {row["image_id"] for row in rows} - crowded
    content["categories"] = [category for category in content["categories"] if category["id"] in persons]
    name = f"{annotations.stem}_{SUFFIX}"
    written = [_write(folder / f"{name}.json", content, rows, peopled)]
    order = np.random.default_rng(seed).permutation(sorted(peopled))
    for size in sorted(subsets):
        if size < len(peopled):
            chosen = {int(number) for number in order[:size]}
            written.append(_write(folder / f"{name}_{size}imgs.json", content, rows, chosen))
    return written


def _write(path: Path, content: dict[str, Any], rows: list[dict[str, Any]], images: set[int]) -> Path:
    """Write the part of a COCO file about some image ids, atomically, and return ``path``."""
    part = content | {
        "images": [image for image in content["images"] if image["id"] in images],
        "annotations": [row for row in rows if row["image_id"] in images],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(part))
    partial.replace(path)
    return path
