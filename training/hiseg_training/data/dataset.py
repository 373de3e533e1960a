"""Augmented training samples: a whole canvas with several of its people, so that one decode serves them all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from hiseg.core.image import Pixels
from hiseg_training.data.augment import (
    Rng,
    fit_matrix,
    jitter_boxes,
    paste_person,
    random_affine,
    random_colour,
    warp,
    warp_linear,
)
from hiseg_training.data.coco import SOMEBODY, Photo

Decoded = tuple[Pixels, ...]
"""A picture uint8 ``[H, W, 3]``, and planes uint8 ``[H, W]`` of it: what belongs to whom, and what a model guesses."""


class Cache:
    """What comes first stays until the budget is used up; the rest is made again each time.

    Nothing is ever pushed out: an epoch comes by each image once, so the image that was used longest ago is the next
    one needed, and pushing it out would be the worst choice. Worker processes that are forked from a filled cache share
    its memory; what they add is their own.
    """

    def __init__(self, budget: int) -> None:
        """``budget``: bytes that are kept at most."""
        self.budget = budget
        self.held = 0
        self.is_full = False
        """Whether something didn't fit already; nothing more is kept from then on."""
        self._kept: dict[Hashable, Decoded] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, decode: Callable[[], Decoded]) -> Decoded:
        """What is kept under ``key``, else ``decode()``; arrays that nobody can write to."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        made = decode()
        for array in made:
            array.flags.writeable = False
        size = sum(array.nbytes for array in made)
        self.is_full = self.is_full or self.held + size > self.budget
        if not self.is_full:
            self._kept[key] = made
            self.held += size
        return made


CCP = "Clothing Co-Parsing"
LEAST_SHARE = 0.0003
"""Share of the canvas below which people are not trained on: their outlines are guesses."""

BUDGET = 3 << 30
"""Bytes: room for about 2,400 photos of 640 x 480."""
DONORS, DONOR_BUDGET = 4096, 512 << 20


class Sample(NamedTuple):
    """One canvas.

    Attributes:
        image: uint8 ``[3, H, W]``.
        identities: uint8 ``[1, H, W]``, 0 nobody, k a person.
        rois: float32 ``[n, 4]``, 0..1 of the canvas.
        targets: int64 ``[n]``, the identity each RoI is about.
        guess: uint8 ``[1, H, W]``, a model's probability 0..255 that anybody is there, where the identities are that
            model's too; None where they are the truth.
    """

    image: torch.Tensor
    identities: torch.Tensor
    rois: torch.Tensor
    targets: torch.Tensor
    guess: torch.Tensor | None = None


@dataclass(frozen=True)
class AugmentConfig:
    """How samples are made.

    Attributes:
        canvas: (height, width).
        scales: least and largest size of the picture, as multiples of what just fits the canvas.
        people: RoIs drawn per canvas at most.
        paste: chance that somebody from another photo is put in front of a person.
        jitter: largest shift of a loose box's edge, as a share of its side.
        loose: chance that a box is loose.
        ccp: share of the near-identical Clothing Co-Parsing photos seen each epoch.
        augment: False takes pictures and boxes as they are, whatever the others say: so photos are learnt by heart.
    """

    canvas: tuple[int, int] = (640, 640)
    scales: tuple[float, float] = (0.8, 1.25)
    people: int = 4
    paste: float = 0.4
    jitter: float = 0.12
    loose: float = 0.6
    ccp: float = 0.4
    augment: bool = True


class PersonDataset(Dataset[Sample]):
    """Photos as samples; each access is a fresh augmentation, the same for the same seed and draw.

    Samples don't depend on what is cached, nor on how many processes make them.
    """

    def __init__(self, photos: list[Photo], recipe: AugmentConfig, seed: int = 0, budget: int = BUDGET) -> None:
        """``budget``: bytes of decoded photos that are kept at most, in each process that makes samples."""
        self.photos = photos
        self.recipe = recipe
        self.seed = seed
        self._cache = Cache(budget)
        self._donors = Cache(DONOR_BUDGET)
        numbered = [(i, k) for i, photo in enumerate(photos) for k in range(min(len(photo.people), SOMEBODY - 1))]
        # A model's outlines are good enough to be learnt from, but not to be cut out along.
        outlined = [(i, k) for i, k in numbered if photos[i].people[k].rle is not None and photos[i].guess is None]
        order = np.random.default_rng(seed).permutation(len(outlined))
        self._pool = [outlined[i] for i in order[:DONORS]]

    def __len__(self) -> int:
        return len(self.photos)

    def preload(self) -> None:
        """Decode now what will be kept anyway, so that worker processes share it."""
        for index in range(len(self.photos)):
            if self._cache.is_full:
                break
            self._decoded(index)

    def _decoded(self, index: int) -> Decoded:
        return self._cache.get(index, self.photos[index].planes)

    def _donor(self, rng: Rng) -> Decoded:
        """Somebody's crop and 0/1 mask, of the same few thousand people always: those fit into memory."""
        index, k = self._pool[int(rng.integers(len(self._pool)))]
        box = self.photos[index].people[k].box
        region = np.s_[int(box.y1) : int(np.ceil(box.y2)), int(box.x1) : int(np.ceil(box.x2))]

        def cut() -> Decoded:
            image, identities, *_ = self._decoded(index)
            return image[region].copy(), (identities[region] == k + 1).astype(np.uint8)

        return cut() if index in self._cache else self._donors.get((index, k), cut)

    def __getitem__(self, key: int) -> Sample:
        """``key`` counts draws, not photos: photo ``key % len`` with the randomness of draw ``key``."""
        rng = np.random.default_rng((self.seed, key))
        recipe = self.recipe
        index = key % len(self.photos)
        image, identities, *guessed = self._decoded(index)
        if not recipe.augment:
            recipe = replace(recipe, paste=0, jitter=0)
            matrix = fit_matrix(identities.shape[:2], recipe.canvas)
        else:
            matrix = random_affine(rng, identities.shape[:2], recipe.canvas, recipe.scales)
        image, identities = warp(image, identities, matrix, recipe.canvas)
        guess = warp_linear(guessed[0], matrix, recipe.canvas) if guessed else None
        people = len(self.photos[index].people)
        visible = _visible(identities)
        if visible.size and self._pool and rng.random() < recipe.paste:
            newcomer = min(people + 1, SOMEBODY)
            donor, shape, *_ = self._donor(rng)
            pasted = paste_person(rng, image, identities, donor, shape, int(rng.choice(visible)), newcomer)
            if pasted and guess is not None:
                guess[identities == newcomer] = 255
            visible = _visible(identities)
        if recipe.augment:
            image = random_colour(rng, image)
        chosen = rng.permutation(visible)[: recipe.people if rng.random() < 0.85 else 1]
        boxes = np.array([_bounds(identities == k) for k in chosen], dtype=np.float32).reshape(-1, 4)
        loose = rng.random((len(boxes), 1)) < recipe.loose
        boxes = np.where(loose, jitter_boxes(rng, boxes, recipe.jitter, recipe.canvas), boxes)
        rois = boxes / np.array([*recipe.canvas[::-1], *recipe.canvas[::-1]], dtype=np.float32)
        return Sample(
            torch.from_numpy(image).permute(2, 0, 1),
            torch.from_numpy(identities)[None],
            torch.from_numpy(rois.astype(np.float32)),
            torch.from_numpy(chosen.astype(np.int64)),
            None if guess is None else torch.from_numpy(guess)[None],
        )


def _visible(identities: Pixels) -> np.ndarray:
    """Identities with at least ``LEAST_SHARE`` of the canvas; not that of nobody, nor that of :data:`SOMEBODY`."""
    cells = np.bincount(identities.ravel(), minlength=SOMEBODY + 1)[1:SOMEBODY]
    return np.flatnonzero(cells >= LEAST_SHARE * identities.size) + 1


def _bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, x + width, y + height


class Batch(NamedTuple):
    """Several canvases.

    Attributes:
        images: uint8 ``[B, 3, H, W]``.
        identities: uint8 ``[B, 1, H, W]``.
        rois: float32 ``[N, 5]``.
        targets: int64 ``[N]``.
        guess: uint8 ``[B, 1, H, W]``, probability 0..255 that anybody is there; None where the identities of all
            canvases are the truth.
    """

    images: torch.Tensor
    identities: torch.Tensor
    rois: torch.Tensor
    targets: torch.Tensor
    guess: torch.Tensor | None = None

    def anybody(self) -> torch.Tensor:
        """How probably anybody is there, float 0..1 ``[B, 1, H, W]``."""
        return (self.identities > 0).float() if self.guess is None else self.guess.float() / 255


def collate(samples: list[Sample]) -> Batch:
    """Stack canvases; each RoI gets its canvas's index in front.

    Images keep the order in which they lie in memory, pixel by pixel: crops are read out of them without a copy.
    """
    rois = [torch.cat([torch.full((len(s.rois), 1), float(i)), s.rois], dim=1) for i, s in enumerate(samples)]
    return Batch(
        torch.stack([s.image.permute(1, 2, 0) for s in samples]).permute(0, 3, 1, 2),
        torch.stack([s.identities for s in samples]),
        torch.cat(rois),
        torch.cat([s.targets for s in samples]),
        None if all(s.guess is None for s in samples) else torch.stack([_guessed(s) for s in samples]),
    )


def _guessed(sample: Sample) -> torch.Tensor:
    return (sample.identities > 0).to(torch.uint8) * 255 if sample.guess is None else sample.guess


class EpochSampler(Sampler[int]):
    """Draw keys for :class:`PersonDataset`: photos with many people come up more often, CCP photos less."""

    def __init__(self, dataset: PersonDataset, seed: int = 0) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0
        recipe = dataset.recipe
        self.weights = np.array(
            [recipe.ccp if p.source == CCP else np.ceil(len(p.people) / recipe.people) for p in dataset.photos]
        )

    def __len__(self) -> int:
        return int(self.weights.sum())

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        whole, part = np.divmod(self.weights, 1)
        times = (whole + (rng.random(len(part)) < part)).astype(int)
        # As many as were announced, always: where chance drew too few, some come once more.
        indices = np.resize(rng.permutation(np.repeat(np.arange(len(times)), times)), len(self))
        base = self.epoch * len(self.dataset) * int(self.weights.max() + 3)
        seen = np.zeros(len(times), dtype=int)
        for index in indices:
            yield int(base + seen[index] * len(self.dataset) + index)
            seen[index] += 1
        self.epoch += 1
