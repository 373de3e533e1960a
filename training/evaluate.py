"""Mean IoU per person at full resolution, through the same canvas and mask code as the service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from service.canvas import choose_canvas, to_canvas
from service.domain import Box, Floats, Pixels
from service.engines.base import margins
from service.masks.crop import crop_mask
from training.config import CANVASES
from training.data.coco import Photo

Predict = Callable[[Pixels, Floats], tuple[Floats, Floats]]
"""uint8 ``[1,3,H,W]``, RoIs ``[N,5]`` -> ``masks`` ``[N,3,h,w]``, ``binary_masks`` ``[1,1,H,W]``."""


@dataclass(frozen=True)
class Score:
    """IoU of one person, and what kind of case it is."""

    iou: float
    source: str
    size: str
    people: int
    covered: float


@dataclass(frozen=True)
class Evaluation:
    """All people of a split, and the foreground IoU of its exhaustive images."""

    people: list[Score]
    foreground: list[float]

    def summary(self) -> dict[str, float]:
        """Mean IoU of every slice that has people, by name."""
        slices: dict[str, Iterable[Score]] = {
            "all": self.people,
            **{s: [p for p in self.people if p.source == s] for s in sorted({p.source for p in self.people})},
            **{s: [p for p in self.people if p.size == s] for s in ("small", "medium", "large")},
            "single person": [p for p in self.people if p.people == 1],
            "2 to 4 people": [p for p in self.people if 2 <= p.people <= 4],
            "5 or more people": [p for p in self.people if p.people >= 5],
            "overlapping boxes": [p for p in self.people if p.covered > 0.15],
        }
        means = {k: float(np.mean([p.iou for p in v])) for k, v in slices.items() if list(v)}
        if self.foreground:
            means["foreground"] = float(np.mean(self.foreground))
        return means


def evaluate(photos: Sequence[Photo], predict: Predict, jitter: float = 0.0, seed: int = 0) -> Evaluation:
    """Score a model.

    Args:
        photos: a split.
        predict: runs the model on one image.
        jitter: each edge of each box is moved by a uniform share of its side up to this.
    """
    rng = np.random.default_rng(seed)
    people: list[Score] = []
    foreground: list[float] = []
    for photo in tqdm(photos, desc="evaluate", mininterval=10):
        pixels = photo.pixels()
        boxes = [_moved(p.box, rng, jitter).clipped(photo.width, photo.height) for p in photo.people]
        placement = choose_canvas(photo.height, photo.width, CANVASES)
        rois = np.concatenate([np.zeros((len(boxes), 1), np.float32), placement.rois(boxes)], axis=1)
        masks, probability = predict(to_canvas(pixels, placement)[None], rois)
        truths = [p.mask() for p in photo.people]
        for margin, box, truth, person in zip(margins(masks), boxes, truths, photo.people, strict=True):
            drawn, _ = crop_mask(margin, box, photo.width, photo.height)
            full = np.zeros_like(truth)
            h, w = drawn.pixels.shape
            full[drawn.top : drawn.top + h, drawn.left : drawn.left + w] = drawn.pixels
            others = [p.box for p in photo.people if p is not person]
            people.append(
                Score(iou(full, truth), photo.source, _size(truth), len(photo.people), _covered(person.box, others))
            )
        if photo.exhaustive:
            foreground.append(_foreground_iou(probability[0, 0], placement.content, truths))
    return Evaluation(people, foreground)


def iou(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of two bool arrays; 1 if both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def _foreground_iou(probability: Floats, content: tuple[int, int], truths: list[npt.NDArray[np.bool_]]) -> float:
    anyone = np.logical_or.reduce(truths)
    seen = np.ascontiguousarray(probability[: content[0], : content[1]])
    return iou(cv2.resize(seen, anyone.shape[::-1]) > 0.5, anyone)


def _moved(box: Box, rng: np.random.Generator, share: float) -> Box:
    w, h = box.x2 - box.x1, box.y2 - box.y1
    dx1, dy1, dx2, dy2 = rng.uniform(-share, share, 4)
    return Box(box.x1 + dx1 * w, box.y1 + dy1 * h, box.x2 + dx2 * w, box.y2 + dy2 * h)


def _size(mask: npt.NDArray[np.bool_]) -> str:
    """COCO's classes: small below 32^2 pixels, medium below 96^2, else large."""
    area = np.count_nonzero(mask)
    return "small" if area < 32**2 else "medium" if area < 96**2 else "large"


def _covered(box: Box, others: Sequence[Box]) -> float:
    """Share of the box that other boxes cover."""
    height, width = round(box.y2 - box.y1), round(box.x2 - box.x1)
    grid = np.zeros((max(1, height), max(1, width)), dtype=np.bool_)
    for other in others:
        x1, y1, x2, y2 = (
            max(0, round(v)) for v in (other.x1 - box.x1, other.y1 - box.y1, other.x2 - box.x1, other.y2 - box.y1)
        )
        grid[y1:y2, x1:x2] = True
    return float(grid.mean())
