"""Draws a small COCO data set: people as heads and bodies on a noisy ground, so that tests need no photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from hiseg.core.image import BoolMask, Pixels

HEIGHT, WIDTH = 120, 160


def draw_split(root: Path, split: str, photos: int, seed: int = 0) -> Path:
    """Write ``photos`` images and their annotations, person-only, in the layout of the data; 1 to 3 people each.

    Returns:
        The annotations' path; the images are in ``root / "images" / split``.
    """
    folder = root / "images" / split
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((seed, *split.encode()))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, photos + 1):
        pixels, masks = scene(rng, 1 + number % 3)
        name = f"{number:012d}.png"
        cv2.imwrite(str(folder / name), pixels[:, :, ::-1])
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for mask in masks:
            annotations.append(annotation(len(annotations) + 1, number, mask))
    path = root / "annotations" / f"instances_{split}_person_only_no_crowd.json"
    write_coco(path, images, annotations)
    return path


def write_coco(path: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
    """A COCO file whose one category is person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = [{"id": 1, "name": "person", "supercategory": "person"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def annotation(number: int, image: int, mask: BoolMask) -> dict[str, Any]:
    """A person's row, with run lengths, its box and its area."""
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    box = coco_mask.toBbox(rle).tolist()
    encoded = {"size": rle["size"], "counts": rle["counts"].decode()}
    row = {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "bbox": box}
    return row | {"area": int(mask.sum()), "segmentation": encoded}


def scene(rng: np.random.Generator, people: int) -> tuple[Pixels, list[BoolMask]]:
    """An image and its people's visible pixels, those behind first; everybody has some."""
    pixels = rng.integers(90, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    owner = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for k in range(people):
        tall = int(rng.integers(60, 100))
        x = int((k + 0.5 + rng.uniform(-0.3, 0.3)) * WIDTH / people)
        y = int(rng.integers(2, HEIGHT - tall - 2))
        colour = [int(v) for v in rng.choice([20, 230], 3)]
        for canvas, ink in ((pixels, colour), (owner, k + 1)):
            cv2.ellipse(canvas, (x, y + tall * 2 // 3), (tall // 5, tall // 3), 0, 0, 360, ink, cv2.FILLED)
            cv2.circle(canvas, (x, y + tall // 6), tall // 6, ink, cv2.FILLED)
    return pixels, [owner == k + 1 for k in range(people) if (owner == k + 1).any()]
