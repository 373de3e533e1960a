"""Samples of stored crops, augmented or plain, of a size that every draw may choose anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from hiseg.core.image import Size
from hiseg_training.crops.augment import CropAugment
from hiseg_training.crops.batch import CropSample
from hiseg_training.crops.cut import Crop
from hiseg_training.crops.sample import augmented_sample, plain_sample
from hiseg_training.crops.store import CropStore
from hiseg_training.data.dataset import CCP

LEAST_CUTOUT = 3300
"""Least area of the box of somebody who is pasted, in pixels of the photo: smaller people have too coarse outlines."""
FIXED_SEED = 7
"""Of the choice of people that all runs on the same data are measured on."""


class Draw(NamedTuple):
    """Which sample to make.

    Attributes:
        person: index of the person.
        number: counts the draws of a run, from 0; the sample's randomness.
        size: (height, width) of the sample.
    """

    person: int
    number: int
    size: Size


class Chosen:
    """Some crops of a store.

    Args:
        store: of crops.
        indices: which ones, integer ``[n]``.
    """

    def __init__(self, store: CropStore, indices: npt.NDArray[np.int64]) -> None:
        self._store = store
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Crop:
        return self._store[int(self._indices[index])]


class CropDataset(Dataset[CropSample]):
    """Augmented samples; the same seed and draw always give the same one, in whichever process.

    Args:
        store: crops of people.
        config: how they are augmented; None takes them as they are, as when a few are overfitted on purpose.
        context: side of what a sample shows as a multiple of the box's, at most
            :data:`~hiseg_training.crops.cut.REGION`.
        seed: of all randomness.
        things: crops of animals and things to paste; None for none.
    """

    def __init__(
        self,
        store: CropStore,
        config: CropAugment | None,
        context: float,
        seed: int = 0,
        things: CropStore | None = None,
    ) -> None:
        self.store = store
        self.config = config
        self._context, self._seed, self._things = context, seed, things
        # A model's outlines are good enough to learn from, but not to cut people out along.
        self._people = Chosen(store, np.flatnonzero(store.true & (store.areas >= LEAST_CUTOUT)))

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, draw: Draw) -> CropSample:
        crop = self.store[draw.person]
        if self.config is None:
            return plain_sample(crop, draw.size, self._context)
        rng = np.random.default_rng((self._seed, draw.number))
        return augmented_sample(rng, crop, draw.size, self._context, self.config, self._people, self._things)


class PlainCrops(Dataset[CropSample]):
    """People as they are, at their true boxes, to be measured on.

    Args:
        store: crops of people.
        size: (height, width) of the samples.
        context: side of what a sample shows as a multiple of the box's.
        people: indices of those who are taken; None for all.
    """

    def __init__(self, store: CropStore, size: Size, context: float, people: Sequence[int] | None = None) -> None:
        self._store, self._size, self._context = store, size, context
        self._people = range(len(store)) if people is None else people

    def __len__(self) -> int:
        return len(self._people)

    def __getitem__(self, index: int) -> CropSample:
        return plain_sample(self._store[self._people[index]], self._size, self._context)


def draw_weights(store: CropStore, ccp: float) -> npt.NDArray[np.float64]:
    """Return how often each person is drawn in a pass, float64 ``[N]``: 1, near-identical Clothing Co-Parsing less.

    Args:
        store: crops of people.
        ccp: that of people from Clothing Co-Parsing, 0..1.
    """
    return np.where(store.sources == CCP, ccp, 1.0)


def fixed_people(store: CropStore, count: int) -> list[int]:
    """Return indices of ``count`` people, fewer if there are fewer, always the same of the same crops.

    They are people of whom all is known: their outlines are annotated, and so are those of whoever is near.
    """
    known = np.flatnonzero(store.true & store.complete)
    chosen = np.random.default_rng(FIXED_SEED).permutation(known)[:count]
    return sorted(int(index) for index in chosen)
