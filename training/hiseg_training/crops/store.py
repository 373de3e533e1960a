"""All crops of a run in one file that is mapped into memory, so that any number of processes share one copy of them.

A folder of such files outlives the run: photos and outlines that were cut before aren't cut again. Files are named
after all that they are made of, so a changed photo or outline makes a new one, and never a wrong one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from hiseg.core.image import Floats, Size
from hiseg_training.config.model import UNKNOWN
from hiseg_training.crops.cut import LEAST_PIXELS, REGION, STORED, UNSURE, Crop, cut_photo
from hiseg_training.data.coco import Photo

FORM = 2
"""Counted up when the same photos come out as other crops, or are stored in another form."""
PIXELS, PEOPLE = "pixels.bin", "people.npz"
OWN = re.compile(r"[0-9a-f]{32}(\.lock)?|partial-\w+")
"""Names of what is written into the folder."""
KEPT_DAYS = 30
"""Files that no run has opened for so long are deleted when new ones are written."""
DAY = 24 * 60 * 60


class CropStore:
    """Crops in a folder that :func:`open_store` wrote.

    What is read is mapped, not copied: processes share the pages, and a copy that is sent to another process, forked or
    not, is the folder's name.

    Attributes:
        folder: of the files.
        size: (height, width) of the crops.
        sources: name of the data set that each crop is from, str ``[N]``.
        true: whether each crop's outline is annotated, and not a model's pseudo-label, bool ``[N]``.
        complete: whether no pixel of a crop has an unknown label, bool ``[N]``.
        areas: what each person's box covers, in pixels of the photo, float32 ``[N]``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with np.load(folder / PEOPLE) as people:
            self.size: Size = (int(people["size"][0]), int(people["size"][1]))
            self.sources: npt.NDArray[np.str_] = people["sources"]
            self.true: npt.NDArray[np.bool_] = people["true"]
            self.complete: npt.NDArray[np.bool_] = people["complete"]
            self._scales: Floats = people["scales"]
            self._boxes: Floats = people["boxes"]
            self._frames: Floats = people["frames"]
            self._others: Floats = people["others"]
            self._ends: npt.NDArray[np.int64] = people["ends"]
        sides = (self._boxes[:, 2:] - self._boxes[:, :2]) * self._scales
        self.areas: Floats = sides.prod(axis=1)

    def __reduce__(self) -> tuple[type[CropStore], tuple[Path]]:
        return CropStore, (self.folder,)

    def __len__(self) -> int:
        return len(self.sources)

    @cached_property
    def _stored(self) -> npt.NDArray[np.uint8]:
        """Bytes of each crop, uint8 ``[N, 4 * H * W]``: pixels, then labels."""
        row = 4 * self.size[0] * self.size[1]
        return np.memmap(self.folder / PIXELS, np.uint8, "r", shape=(len(self), row))

    def __getitem__(self, index: int) -> Crop:
        """Return crop ``index``; its pixels and labels are read-only."""
        height, width = self.size
        row, start = self._stored[index], self._ends[index - 1] if index else 0
        return Crop(
            np.asarray(row[: 3 * height * width]).reshape(height, width, 3),
            np.asarray(row[3 * height * width :]).reshape(height, width),
            self._scales[index],
            self._boxes[index],
            self._frames[index],
            self._others[start : self._ends[index]],
        )


def default_folder() -> Path:
    """Return the user's folder that crops are kept in: ``hiseg/crops`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hiseg" / "crops"


def open_store(photos: Sequence[Photo], folder: Path, size: Size = STORED, annotated: bool = False) -> CropStore:
    """Return the crops of all outlined people of photos, in the photos' order; cut now unless they were cut before.

    Several processes may call it at once: one cuts, and the others wait for it.

    Args:
        photos: with people; those without outlines are in crops of others only.
        folder: where the files are kept; it is made if it isn't there.
        size: (height, width) of a crop.
        annotated: see :func:`~hiseg_training.crops.cut.cut_photo`.

    Raises:
        FileNotFoundError, AnnotationError: a photo can't be read; see :meth:`Photo.pixels`.
        ValueError: nobody is left, or there is no room for the crops.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / _key(photos, size, annotated)
    if not place.is_dir():
        with _alone(place.with_suffix(".lock")):
            if not place.is_dir():
                _forget(folder)
                _write(place, photos, size, annotated)
    with suppress(OSError):  # somebody else's
        os.utime(place)
    return CropStore(place)


def _key(photos: Sequence[Photo], size: Size, annotated: bool) -> str:
    """Return a name for the crops of photos, made of everything that they depend on."""
    digest = hashlib.blake2b(repr((FORM, size, annotated, REGION, LEAST_PIXELS, UNSURE)).encode(), digest_size=16)
    for photo in photos:
        people = [(person.box.as_tuple(), person.area, person.rle) for person in photo.people]
        digest.update(repr((photo.width, photo.height, photo.source, people)).encode())
        for part in (photo.guess or b"", photo.path.read_bytes()):
            digest.update(hashlib.blake2b(part, digest_size=16).digest())
    return digest.hexdigest()


def _write(place: Path, photos: Sequence[Photo], size: Size, annotated: bool) -> None:
    """Cut photos and write their crops into a new folder, which appears when it is complete."""
    people = sum(person.rle is not None for photo in photos for person in photo.people)
    needed, free = people * 4 * size[0] * size[1], shutil.disk_usage(place.parent).free
    if needed > free:
        sizes = f"take {needed / 1e9:.1f} GB, and there are {free / 1e9:.1f} free in {place.parent}"
        raise ValueError(f"the crops of {people:,} people {sizes}")
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=place.parent))
    try:
        sources, true, complete = [], [], []
        scales, boxes, frames, others = [], [], [], []
        with (partial / PIXELS).open("wb") as file:
            for photo in tqdm(photos, desc="cut", mininterval=10):
                for crop in cut_photo(photo, size, annotated):
                    file.write(crop.pixels.data)
                    file.write(crop.labels.data)
                    sources.append(photo.source)
                    true.append(photo.guess is None)
                    complete.append(not (crop.labels == UNKNOWN).any())
                    scales.append(crop.scale)
                    boxes.append(crop.box)
                    frames.append(crop.frame)
                    others.append(crop.others)
        if not sources:
            raise ValueError(f"nobody in {len(photos):,} photos has an outline that is large enough to learn from")
        np.savez(
            partial / PEOPLE,
            size=size,
            sources=sources,
            true=true,
            complete=complete,
            scales=scales,
            boxes=boxes,
            frames=frames,
            others=np.concatenate(others),
            ends=np.cumsum([len(each) for each in others]),
        )
        partial.chmod(0o755)
        try:
            partial.rename(place)
        except OSError:
            if not place.is_dir():  # else another process was first, where nothing could make it wait
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _forget(folder: Path) -> None:
    """Delete crops that no run has opened for :data:`KEPT_DAYS`; processes that still have them open can read on."""
    for place in folder.iterdir():
        if not OWN.fullmatch(place.name):
            continue
        with suppress(OSError):  # another process was first
            if time.time() - place.stat().st_mtime > KEPT_DAYS * DAY:
                shutil.rmtree(place) if place.is_dir() else place.unlink()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in the same block with the same ``path``, where the system can tell."""
    with path.open("w") as file:
        with suppress(ImportError, OSError):  # Windows, and file systems without locks
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
