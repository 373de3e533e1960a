"""Draws where a model fails, as outlines, since the photos may not be shown: ``python -m benchmarks.failures OUT.png``.

For each kind of case it shows the person of ``val`` with the lowest IoU; no photo is shown twice.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.cases import AROUND, Place, cases
from benchmarks.models import REPOSITORY
from hiseg.core.image import Pixels
from hiseg.masks.formats.label_map import label_map
from hiseg.models.repository import stored_versions
from hiseg_training.data.coco import Photo, data_root, read_split
from hiseg_training.evaluation.comparison import INK, PAPER, errors, instance, legend
from hiseg_training.evaluation.scores import PhotoScore, score_photos
from hiseg_training.export.measure import open_cpu_runner

KINDS = (
    *("5 or more people", "overlapping boxes", "small"),
    *("dark", "from behind", "children"),
    *("single person", "2 to 4 people", "large"),
)
SIDE, COLUMNS, GAP, CAPTION = 300, 3, 14, 28


def shape(photo: Photo, score: PhotoScore, person: int) -> Pixels:
    """The surroundings of a person in a square: what is right and wrong about everybody there."""
    size = (photo.width, photo.height)
    truth = [instance(each.rle, each.box, 1, size).mask for each in photo.people if each.rle is not None]
    found = [instance(each.rle, photo.people[k].box, 1, size).mask for k, each in enumerate(score.people)]
    paper = np.full((photo.height, photo.width, 3), 40, dtype=np.uint8)
    drawn = errors(paper, label_map(truth, *size), label_map(found, *size))
    box = photo.people[person].box.scaled(AROUND).clipped(*size)
    x1, y1, x2, y2 = (round(value) for value in box.as_tuple())
    part = drawn[y1:y2, x1:x2]
    scale = SIDE / max(part.shape[:2])
    part = cv2.resize(part, (round(part.shape[1] * scale), round(part.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    square = np.full((SIDE, SIDE, 3), PAPER, dtype=np.uint8)
    square[: part.shape[0], : part.shape[1]] = part
    return square


def main(out: Path) -> None:
    photos = read_split(data_root(), "val")
    scores = score_photos(photos, open_cpu_runner(stored_versions(REPOSITORY)["hiseg_b0"][0].path))
    kinds = cases(photos, scores)
    shown: dict[str, Place] = {}
    for kind in KINDS:
        taken = {number for number, _ in shown.values()}
        free = [(number, k) for number, k in kinds[kind] if number not in taken]
        shown[kind] = min(free, key=lambda place: scores[place[0]].people[place[1]].iou)
    rows = len(KINDS) // COLUMNS
    page = Image.new("RGB", (COLUMNS * (SIDE + GAP) + GAP, CAPTION + rows * (SIDE + CAPTION + GAP)), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    legend(draw, GAP, CAPTION // 2, font)
    for place, (kind, (number, k)) in enumerate(shown.items()):
        left, top = GAP + place % COLUMNS * (SIDE + GAP), CAPTION + place // COLUMNS * (SIDE + CAPTION + GAP)
        draw.text((left, top + CAPTION // 2), f"{kind}: IoU {scores[number].people[k].iou:.2f}", INK, font, anchor="lm")
        page.paste(Image.fromarray(shape(photos[number], scores[number], k)), (left, top + CAPTION))
    page.save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
