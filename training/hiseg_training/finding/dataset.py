"""Data sets of views for a finder, and of whole photos that it is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset, Sampler

from hiseg.core.image import Size
from hiseg_training.data.augment import Rng
from hiseg_training.data.coco import Photo
from hiseg_training.engine.process import ProcessRank, check_batch_size
from hiseg_training.finding.frames import SOMEBODY, UNKNOWN, Frame, reduce_photo
from hiseg_training.finding.view import View, ViewConfig, make_view
from hiseg_training.losses.finding import FinderTargets

PARTS = 4
"""Photos that are drawn for each view."""


class FinderBatch(NamedTuple):
    """Several views.

    Attributes:
        images: uint8 ``[B, 3, h, w]``, in channels-last memory.
        labels: uint8 ``[B, 1, h, w]``, see :class:`~hiseg_training.finding.frames.Frame`.
        boxes: float32 ``[P, 5]`` of ``view x1 y1 x2 y2``, in pixels of the view.
        counted: whether each box is to be found, bool ``[P]``.
        photos: index of the photo that each view shows whole, int64 ``[B]``; -1 where it shows parts.
    """

    images: torch.Tensor
    labels: torch.Tensor
    boxes: torch.Tensor
    counted: torch.Tensor
    photos: torch.Tensor

    def targets(self, stride: int) -> FinderTargets:
        """What a finder is to learn, the foreground in cells of ``stride`` pixels a side."""
        known = self.labels != UNKNOWN
        foreground = F.avg_pool2d((self.labels == SOMEBODY).float(), stride)
        share = F.avg_pool2d(known.float(), stride)
        return FinderTargets(self.boxes, self.counted, foreground / share.clamp(min=1e-3), share)


def collate(views: Sequence[tuple[View, int]]) -> FinderBatch:
    """Stack views, each with the index of its photo or -1."""
    boxes = [np.column_stack([np.full(len(view.boxes), i), view.boxes]) for i, (view, _) in enumerate(views)]
    return FinderBatch(
        torch.from_numpy(np.stack([view.pixels for view, _ in views])).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack([view.labels for view, _ in views]))[:, None],
        torch.from_numpy(np.concatenate(boxes).astype(np.float32)),
        torch.from_numpy(np.concatenate([view.counted for view, _ in views])),
        torch.tensor([photo for _, photo in views]),
    )


class ViewDataset(Dataset[tuple[View, int]]):
    """Augmented views; the same seed and key always give the same one, in whichever process.

    Args:
        frames: of all photos.
        weights: chance of each to be in a view, float64 ``[n]`` of sum 1.
        config: how views are made.
        seed: of all randomness.
    """

    def __init__(
        self, frames: Sequence[Frame], weights: npt.NDArray[np.float64], config: ViewConfig, seed: int
    ) -> None:
        self._frames, self._weights, self._config, self._seed = frames, weights, config, seed

    def __getitem__(self, key: tuple[int, int]) -> tuple[View, int]:
        """Return the view of a key: the index of its first photo, and a number that counts the draws of a run."""
        rng: Rng = np.random.default_rng((self._seed, key[1]))
        others = rng.choice(len(self._frames), PARTS - 1, p=self._weights).tolist()
        return make_view(rng, self._frames, [key[0], *others], self._config), -1


class ViewSampler(Sampler[list[tuple[int, int]]]):
    """One process's part of each batch of an epoch of views.

    Args:
        weights: chance of each photo to be drawn.
        draws: views of an epoch, of all processes together.
        batch_size: views of a batch, likewise.
        seed: of the order.
        process: which one this is.

    Raises:
        ValueError: ``batch_size`` isn't a multiple of the number of processes.
    """

    def __init__(
        self, weights: npt.NDArray[np.float64], draws: int, batch_size: int, seed: int, process: ProcessRank
    ) -> None:
        check_batch_size(batch_size, process.world)
        self._weights, self._batch, self._seed, self._process = weights, batch_size, seed, process
        self._steps = max(1, draws // batch_size)
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to sample, on which alone the draws depend; the trainer calls this before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._steps

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Keys of the chosen epoch's views, batch by batch."""
        draws, rank, world = self._steps * self._batch, self._process.rank, self._process.world
        # Evenly spread over the chances, so that no photo comes again long before others come first.
        rng = np.random.default_rng((self._seed, self._epoch))
        places = (np.arange(draws) + rng.random()) / draws
        order = rng.permutation(len(self._weights))
        drawn = order[np.searchsorted(self._weights[order].cumsum(), places).clip(max=len(order) - 1)]
        keys = [(int(photo), self._epoch * draws + place) for place, photo in enumerate(rng.permutation(drawn))]
        for step in range(self._steps):
            batch = keys[step * self._batch : (step + 1) * self._batch]
            yield batch[rank::world]


class WholePhotos(Dataset[tuple[View, int]]):
    """Photos fitted into the reduced canvas, top left, to be measured on.

    Args:
        photos: in which everybody is annotated, with a box at least.
        size: (height, width) of the reduced canvas.
    """

    def __init__(self, photos: Sequence[Photo], size: Size) -> None:
        self.photos = photos
        self._size = size

    def __len__(self) -> int:
        return len(self.photos)

    def scale(self, index: int) -> float:
        """Pixels of the reduced canvas that are one of photo ``index``."""
        photo = self.photos[index]
        return min(self._size[0] / photo.height, self._size[1] / photo.width)

    def __getitem__(self, index: int) -> tuple[View, int]:
        """Return photo ``index`` whole."""
        frame = reduce_photo(self.photos[index], self.scale(index))
        pixels, labels = np.zeros((*self._size, 3), np.uint8), np.zeros(self._size, np.uint8)
        height, width = frame.labels.shape
        pixels[:height, :width], labels[:height, :width] = frame.pixels, frame.labels
        return View(pixels, labels, frame.boxes, np.ones(len(frame.boxes), bool)), index
