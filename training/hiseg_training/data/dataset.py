"""Augmented training samples: whole canvases with RoIs of several people, so that one decoded image serves them all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from hiseg.core.image import BoolMask, Pixels
from hiseg_training.data.augment import (
    VISIBLE,
    Cutout,
    Rng,
    fit_matrix,
    jitter_boxes,
    paste,
    random_affine,
    random_colour,
    warp,
    warp_linear,
)
from hiseg_training.data.coco import SOMEBODY, Photo

Decoded = tuple[Pixels, ...]
"""An image uint8 ``[H, W, 3]``, its identities uint8 ``[H, W]`` and, if any, its foreground guess uint8 ``[H, W]``."""


class Cache:
    """Keeps decoded arrays within a budget of bytes, first come first kept; the rest is decoded again each time.

    Nothing is ever evicted: an epoch visits each image once, so the least recently used image is the next one needed,
    and evicting it would be the worst choice. Worker processes forked from a filled cache share its memory; what they
    add is their own.
    """

    def __init__(self, budget: int) -> None:
        """Create an empty cache that keeps at most ``budget`` bytes."""
        self.budget = budget
        self.held = 0
        self.is_full = False
        """Whether an entry did not fit; nothing more is kept from then on."""
        self._kept: dict[Hashable, Decoded] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, decode: Callable[[], Decoded]) -> Decoded:
        """Return what is kept under ``key``, else ``decode()``, kept if it fits; the arrays are made read-only."""
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
"""Least share of the canvas that a person covers to be trained on: outlines of smaller people are unreliable."""

BUDGET = 3 << 30
"""Default bytes of decoded photos that are kept: about 2,400 photos of 640 x 480."""
DONORS, DONOR_BUDGET = 4096, 512 << 20


class Sample(NamedTuple):
    """One augmented canvas with RoIs of some of its people.

    Attributes:
        image: uint8 ``[3, H, W]``.
        identities: uint8 ``[1, H, W]``, 0 nobody, k the k-th person.
        rois: float32 ``[n, 4]`` of ``x1 y1 x2 y2``, 0..1 of the canvas.
        targets: int64 ``[n]``, the identity of the person that each RoI is about.
        guess: uint8 ``[1, H, W]``, foreground probability 0..255 of the model that drew the identities; None where
            they are ground truth.
    """

    image: torch.Tensor
    identities: torch.Tensor
    rois: torch.Tensor
    targets: torch.Tensor
    guess: torch.Tensor | None = None


@dataclass(frozen=True)
class AugmentConfig:
    """How samples are augmented.

    Attributes:
        canvas: (height, width), in pixels.
        scales: least and largest size of the image, as multiples of the one that just fits the canvas.
        people: most RoIs per canvas.
        paste: chance that a person from another photo is pasted in front of a person.
        jitter: largest shift of a loose box's edge, as a share of its side.
        loose: chance that a box is loose.
        ccp: share of the near-identical Clothing Co-Parsing photos seen each epoch.
        augment: False leaves images and boxes as they are, whatever the other values, as for overfitting on purpose.
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
    """Photos with augmentation; the same seed and key always give the same sample.

    Samples depend neither on what is cached nor on the number of worker processes.
    """

    def __init__(self, photos: list[Photo], config: AugmentConfig, seed: int = 0, budget: int = BUDGET) -> None:
        """Keep the photos, and at most ``budget`` bytes of them decoded in each worker process."""
        self.photos = photos
        self.config = config
        self.seed = seed
        self._cache = Cache(budget)
        self._donors = Cache(DONOR_BUDGET)
        numbered = [(i, k) for i, photo in enumerate(photos) for k in range(min(len(photo.people), SOMEBODY - 1))]
        # A model's outlines are good enough to learn from, but not to cut people out along.
        outlined = [(i, k) for i, k in numbered if photos[i].people[k].rle is not None and photos[i].guess is None]
        order = np.random.default_rng(seed).permutation(len(outlined))
        self._pool = [outlined[i] for i in order[:DONORS]]

    def __len__(self) -> int:
        return len(self.photos)

    def preload(self) -> None:
        """Decode photos until the cache is full, so that worker processes that are forked later share them."""
        for index in range(len(self.photos)):
            if self._cache.is_full:
                break
            self._decode(index)

    def _decode(self, index: int) -> Decoded:
        """Return photo ``index`` decoded, from the cache if it is there."""
        return self._cache.get(index, self.photos[index].planes)

    def _donor(self, rng: Rng) -> Decoded:
        """Return a random person's crop and 0/1 mask; from a fixed few thousand people, who fit into memory."""
        index, k = self._pool[int(rng.integers(len(self._pool)))]
        box = self.photos[index].people[k].box
        region = np.s_[int(box.y1) : int(np.ceil(box.y2)), int(box.x1) : int(np.ceil(box.x2))]

        def cut() -> Decoded:
            image, identities, *_ = self._decode(index)
            return image[region].copy(), (identities[region] == k + 1).astype(np.uint8)

        return cut() if index in self._cache else self._donors.get((index, k), cut)

    def __getitem__(self, key: int) -> Sample:
        """Return photo ``key % len(self)``, augmented by the randomness of ``key``: keys count draws, not photos."""
        rng = np.random.default_rng((self.seed, key))
        config = self.config
        index = key % len(self.photos)
        image, identities, *guessed = self._decode(index)
        if not config.augment:
            config = replace(config, paste=0, jitter=0)
            matrix = fit_matrix(identities.shape[:2], config.canvas)
        else:
            matrix = random_affine(rng, identities.shape[:2], config.canvas, config.scales)
        image, identities = warp(image, identities, matrix, config.canvas)
        guess = warp_linear(guessed[0], matrix, config.canvas) if guessed else None
        people = len(self.photos[index].people)
        visible = _visible(identities)
        if visible.size and self._pool and rng.random() < config.paste:
            newcomer = min(people + 1, SOMEBODY)
            donor, shape, *_ = self._donor(rng)
            target = int(rng.choice(visible))
            least = VISIBLE * np.count_nonzero(identities == target)
            cutout = Cutout(donor, shape, np.ones(2))
            pasted = paste(rng, image, identities, target, cutout, newcomer, least)
            if pasted is not None and guess is not None:
                guess[identities == newcomer] = 255
            visible = _visible(identities)
        if config.augment:
            image = random_colour(rng, image)
        chosen = rng.permutation(visible)[: config.people if rng.random() < 0.85 else 1]
        boxes = np.array([_bounds(identities == k) for k in chosen], dtype=np.float32).reshape(-1, 4)
        loose = rng.random((len(boxes), 1)) < config.loose
        boxes = np.where(loose, jitter_boxes(rng, boxes, config.jitter, (0, 0, *config.canvas[::-1])), boxes)
        rois = boxes / np.array([*config.canvas[::-1], *config.canvas[::-1]], dtype=np.float32)
        return Sample(
            torch.from_numpy(image).permute(2, 0, 1),
            torch.from_numpy(identities)[None],
            torch.from_numpy(rois.astype(np.float32)),
            torch.from_numpy(chosen.astype(np.int64)),
            None if guess is None else torch.from_numpy(guess)[None],
        )


def _visible(identities: Pixels) -> npt.NDArray[np.int64]:
    """Return the identities, int64 ``[n]``, of people on at least ``LEAST_SHARE`` of uint8 ``[H, W]``.

    Nobody (0) and :data:`SOMEBODY`, who may be several people, are left out.
    """
    cells = np.bincount(identities.ravel(), minlength=SOMEBODY + 1)[1:SOMEBODY]
    return np.flatnonzero(cells >= LEAST_SHARE * identities.size) + 1


def _bounds(mask: BoolMask) -> tuple[int, int, int, int]:
    """Return ``x1, y1, x2, y2`` of the tightest box around bool ``[H, W]``, x2 and y2 exclusive."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, x + width, y + height


class Batch(NamedTuple):
    """Several canvases as one batch.

    Attributes:
        images: uint8 ``[B, 3, H, W]``.
        identities: uint8 ``[B, 1, H, W]``, 0 nobody, k the k-th person of the canvas.
        rois: float32 ``[N, 5]`` of ``batch_index x1 y1 x2 y2``, 0..1 of the canvas.
        targets: int64 ``[N]``, the identity of the person that each RoI is about.
        guess: uint8 ``[B, 1, H, W]``, foreground probability 0..255; None where the identities of all canvases are
            ground truth.
    """

    images: torch.Tensor
    identities: torch.Tensor
    rois: torch.Tensor
    targets: torch.Tensor
    guess: torch.Tensor | None = None

    def anybody(self) -> torch.Tensor:
        """Return the probability that anybody is there: float32 ``[B, 1, H, W]``, 0..1."""
        return (self.identities > 0).float() if self.guess is None else self.guess.float() / 255


def collate(samples: list[Sample]) -> Batch:
    """Stack samples into a batch; each RoI gets the index of its canvas in front.

    Images stay in channels-last memory order, so that crops are read out of them without a copy.
    """
    rois = [torch.cat([torch.full((len(s.rois), 1), float(i)), s.rois], dim=1) for i, s in enumerate(samples)]
    return Batch(
        torch.stack([s.image.permute(1, 2, 0) for s in samples]).permute(0, 3, 1, 2),
        torch.stack([s.identities for s in samples]),
        torch.cat(rois),
        torch.cat([s.targets for s in samples]),
        None if all(s.guess is None for s in samples) else torch.stack([_guess(s) for s in samples]),
    )


def _guess(sample: Sample) -> torch.Tensor:
    """Return the sample's foreground probability, uint8 ``[1, H, W]``: its guess, else 0 or 255 by the identities."""
    return (sample.identities > 0).to(torch.uint8) * 255 if sample.guess is None else sample.guess


class EpochSampler(Sampler[int]):
    """Draws keys of a :class:`PersonDataset`: photos with many people more often, Clothing Co-Parsing photos less."""

    def __init__(self, dataset: PersonDataset, seed: int = 0) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0
        config = dataset.config
        self.weights = np.array(
            [config.ccp if p.source == CCP else np.ceil(max(1, len(p.people)) / config.people) for p in dataset.photos]
        )

    def __len__(self) -> int:
        return int(self.weights.sum())

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        whole, part = np.divmod(self.weights, 1)
        times = (whole + (rng.random(len(part)) < part)).astype(int)
        # Always exactly len(self) keys: where chance drew too few, some photos come once more.
        indices = np.resize(rng.permutation(np.repeat(np.arange(len(times)), times)), len(self))
        base = self.epoch * len(self.dataset) * int(self.weights.max() + 3)
        seen = np.zeros(len(times), dtype=int)
        for index in indices:
            yield int(base + seen[index] * len(self.dataset) + index)
            seen[index] += 1
        self.epoch += 1
