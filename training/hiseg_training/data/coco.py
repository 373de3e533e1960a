"""Reads COCO files of people: images, boxes and masks; images are decoded only when their pixels are needed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hiseg.core.coco_file import PERSON, AnnotationError, image_rows, name_row, person_categories
from hiseg.core.fields import MISSING, Unclear, flag, read_field, show, whole_number
from hiseg.core.image import Pixels
from hiseg.core.image_folder import ImageFolder
from hiseg_training.data.coco_file import load_coco, person_rows
from hiseg_training.data.image_files import read_image, shown_size
from hiseg_training.data.person import SMALL, Person, PersonReader
from hiseg_training.data.skipped import Problems, Skipped, Tell, silent

ENVIRONMENT = "HISEG_DATA"
DEFAULT_ROOT = Path("data/person_seg")
"""Relative to the working folder."""
NAME_SHOWN = 200
"""Most characters of a file's name in a message."""
LARGEST_SIDE = 1_000_000
"""Most pixels of an image's side, as in the service."""
SOMEBODY = 255
"""Identity shared by the 255th and all further people of an image: identities are uint8, and 0 is nobody."""

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def data_root() -> Path:
    """Return the folder of the data set: ``$HISEG_DATA``, else ``data/person_seg`` below the working folder."""
    return Path(os.environ.get(ENVIRONMENT, DEFAULT_ROOT))


@dataclass(frozen=True)
class Photo:
    """One image file with its annotated people.

    Attributes:
        path: of the image file.
        width: of the image, in pixels.
        height: of the image, in pixels.
        source: name of the data set it comes from.
        exhaustive: whether every person in the image is annotated with an outline.
        people: the annotated people, in the file's order.
        guess: where masks are a model's pseudo-labels, its foreground probability as a grey PNG of the image's size,
            0..255 for 0..1. None where masks are ground truth.
    """

    path: Path
    width: int
    height: int
    source: str
    exhaustive: bool
    people: tuple[Person, ...]
    guess: bytes | None = None

    @property
    def outlined(self) -> bool:
        """Whether every annotated person has a mask."""
        return all(person.rle is not None for person in self.people)

    def pixels(self) -> Pixels:
        """Decode the image: uint8 ``[H, W, 3]`` RGB.

        Raises:
            FileNotFoundError: the file does not exist, or is no image.
            AnnotationError: the image has another size than its annotations say.
        """
        image = read_image(self.path)
        if image is None:
            raise FileNotFoundError(f"cannot read {self.path}")
        self.check_size(image.shape[1], image.shape[0])
        return image

    def check_size(self, width: int, height: int) -> None:
        """Raise AnnotationError if the image file, as it is shown, has another size than its annotations say."""
        if (width, height) != (self.width, self.height):
            lying = (height, width) == (self.width, self.height)
            turned = "; is it shown turned, by its EXIF orientation?" if lying else ""
            found = f"{self.path} is {width} x {height}"
            raise AnnotationError(f"{found}, its annotations say {self.width} x {self.height}{turned}")

    def identities(self) -> Pixels:
        """Draw all masks into one map: uint8 ``[H, W]``, 0 nobody, k the k-th person (from 1, up to :data:`SOMEBODY`).

        Where masks overlap, the smaller person is in front. People without a mask are left out.
        """
        canvas = np.zeros((self.height, self.width), dtype=np.uint8)
        order = sorted(range(len(self.people)), key=lambda k: -self.people[k].area)
        for k in order:
            if self.people[k].rle is not None:
                canvas[self.people[k].mask()] = min(k + 1, SOMEBODY)
        return canvas

    def planes(self) -> tuple[Pixels, ...]:
        """Return :meth:`pixels`, :meth:`identities` and, if any, the decoded :attr:`guess`, uint8 ``[H, W]``."""
        if self.guess is None:
            return self.pixels(), self.identities()
        guess = cv2.imdecode(np.frombuffer(self.guess, np.uint8), cv2.IMREAD_GRAYSCALE)
        return self.pixels(), self.identities(), np.asarray(guess, dtype=np.uint8)


def split_file(root: Path, split: str) -> Path:
    """Return the annotation file of a split below the data root."""
    return root / "annotations" / f"instances_{split}_person_only_no_crowd.json"


@dataclass(frozen=True)
class CocoSet:
    """A COCO file of people, and where its images are.

    Attributes:
        annotations: the file.
        images: the folder of its images.
    """

    annotations: Path
    images: Path

    def read(self, categories: Collection[str] = (PERSON,), tell: Tell = silent) -> list[Photo]:
        """Read the photos with people, as :func:`read_annotations` does."""
        return read_annotations(self.annotations, self.images, categories, tell)

    def read_outlined(self, categories: Collection[str] = (PERSON,), tell: Tell = silent) -> list[Photo]:
        """Read the photos in which everybody has an outline; the errors are also those of :func:`with_outlines`."""
        return with_outlines(self.read(categories, tell), self.annotations, tell)


def coco_set(annotations: Path | None, images: Path | None, root: Path, split: str) -> CocoSet:
    """Return the file that is named, or else that of a split below the data root.

    Args:
        annotations: the file; None takes the split's.
        images: folder of the file's images; None looks beside it, as :func:`images_beside` does.
        root: the data root.
        split: ``train``, ``val`` or ``ood``, after which options are named too: ``--val-ann`` and ``--val-images``.

    Raises:
        FileNotFoundError: the file or the folder does not exist; of a split's the message names ``HISEG_DATA``.
        ValueError: a folder of images is given without a file.
    """
    if annotations is None:
        if images is not None:
            raise ValueError(f"{split}_images: {images} is of no use without a COCO file, --{split}-ann")
        annotations, images = split_file(root, split), root / "images" / split
        if not annotations.is_file():
            other = f"name a COCO file with --{split}-ann, or set {ENVIRONMENT} to the folder of the data"
            raise FileNotFoundError(f"{annotations} does not exist; {other}")
        return CocoSet(annotations, images)
    if not annotations.exists():
        raise FileNotFoundError(f"{annotations} does not exist")
    images = images or images_beside(annotations)
    if not images.is_dir():
        raise FileNotFoundError(f"{images}, where the images of {annotations} should be, is no folder")
    return CocoSet(annotations, images)


def read_split(root: Path, split: str, categories: Collection[str] = (PERSON,), tell: Tell = silent) -> list[Photo]:
    """Read all photos with people of the split ``train``, ``val`` or ``ood`` below the data root.

    Raises:
        FileNotFoundError: the split does not exist; the message names ``HISEG_DATA``.
        AnnotationError: as :func:`read_annotations`.
    """
    return coco_set(None, None, root, split).read(categories, tell)


def read_annotations(
    annotations: Path,
    images: Path,
    categories: Collection[str] = (PERSON,),
    tell: Tell = silent,
    outlines: Path | None = None,
) -> list[Photo]:
    """Read the photos with people of a COCO file, and check that their files are there and have the stated sizes.

    Args:
        annotations: the COCO file.
        images: the folder of its images.
        categories: names of the categories that are people.
        tell: gets a line for what was read, and one for each reason why something was left out.
        outlines: a COCO file with outlines of some of the people, whom its annotations name by ``box_id``.

    Raises:
        FileNotFoundError: a file, or an image that it names, does not exist.
        AnnotationError: it is not a COCO file of people, or it can't be understood; the message names the annotation.
    """
    found, missing = [], []
    folder = ImageFolder(images)
    for photo, name in people_in(load_coco(annotations, outlines), annotations, images, categories, tell):
        path = folder.find(name)
        if path is None:
            missing.append(name)
        else:
            found.append(replace(photo, path=path))
    if missing:
        more = f", nor do {len(missing) - 1} more of its images" if len(missing) > 1 else ""
        path = images / " ".join(missing[0].split())[:NAME_SHOWN]
        raise FileNotFoundError(f"{path}, which {annotations} names, does not exist{more}")
    _check_files(found, annotations)
    return found


def read_people(
    annotations: Path, images: Path, categories: Collection[str] = (PERSON,), tell: Tell = silent
) -> list[Photo]:
    """Read photos as :func:`read_annotations` does; image files are looked at only where the file lacks their sizes."""
    content = load_coco(annotations)
    return [photo for photo, _ in people_in(content, annotations, images, categories, tell)]


def people_in(
    content: dict[str, Any], annotations: Path, images: Path, categories: Collection[str], tell: Tell
) -> list[tuple[Photo, str]]:
    """Return the photos with people of a file's content, each with the name that the file has for it.

    Raises:
        AnnotationError: as :func:`read_annotations`.
    """
    persons = person_categories(content, annotations, categories, tell)
    rows = image_rows(content, annotations)
    skipped, problems = Skipped(), Problems(annotations)
    folder, reader = ImageFolder(images), PersonReader(skipped)
    sizes: dict[Hashable, tuple[int, int]] = {}
    people: dict[Hashable, dict[object, Person]] = defaultdict(dict)
    crowded = set()
    for each in person_rows(content, persons, rows, skipped, problems):
        name = name_row(each.place, each.row)
        if each.crowd:
            skipped.add("crowd (iscrowd)", name)
            crowded.add(each.image)
            continue
        if each.image not in sizes:
            sizes[each.image] = _size(*rows[each.image], folder, annotations)
        try:
            person = reader.read(each.row, *sizes[each.image], name)
        except Unclear as error:
            problems.add(each.place, each.row, error)
            continue
        if person is not None:
            same = str(each.row.get("id", name)), person.box, None if person.rle is None else person.rle["counts"]
            if same in people[each.image]:
                skipped.add("annotation that is in the file twice", name)
            people[each.image].setdefault(same, person)
    problems.check()
    try:
        reader.check()
    except Unclear as error:
        raise AnnotationError(f"{annotations}: {error}") from None
    photos = []
    for number, (index, row) in rows.items():
        if found := tuple(people.get(number, {}).values()):
            try:
                name = read_field(row, "file_name", _text)
                # Whoever is in a crowd has no outline of their own.
                whole = number not in crowded and all(person.rle is not None for person in found)
                exhaustive = read_field(row, "exhaustive", flag) if "exhaustive" in row else whole
            except Unclear as error:
                raise AnnotationError(f"{annotations}: images[{index}] (id {number}) {error}") from None
            source = str(row.get("source", annotations.stem))
            photos.append((Photo(images / name, *sizes[number], source, exhaustive, found), name))
    if not photos:
        raise AnnotationError(f"{annotations} has no image with people{_reasons(skipped, persons)}")
    _report(annotations, [photo for photo, _ in photos], len(rows), skipped, tell)
    return photos


def _reasons(skipped: Skipped, persons: Collection[Hashable]) -> str:
    """Say why nobody is left."""
    if skipped.counts:
        units = "; are its numbers shares of the image, and not pixels?" if SMALL in skipped.counts else ""
        return f": {skipped}{units}"
    return f": no annotation has the category_id {' or '.join(sorted(map(str, persons)))}"


def _report(annotations: Path, photos: Sequence[Photo], images: int, skipped: Skipped, tell: Tell) -> None:
    """Tell how many people were read, and what was left out."""
    people = sum(len(photo.people) for photo in photos)
    boxed = sum(person.rle is None for photo in photos for person in photo.people)
    bare = f", {boxed:,} of them with a box alone" if boxed else ""
    tell(f"{annotations}: {people:,} people{bare} in {len(photos):,} of {images:,} images")
    for line in skipped.lines():
        tell(f"  left out: {line}")


def _size(index: int, row: dict[str, Any], folder: ImageFolder, annotations: Path) -> tuple[int, int]:
    """Return width and height of an image; from its file where the annotation file doesn't have them.

    Raises:
        AnnotationError: they are wrong, or missing and the file can't be read.
    """
    where = f"{annotations}: images[{index}] (id {row['id']})"
    sides = []
    for side in ("width", "height"):
        value = row.get(side)
        if value in MISSING or value in (0, "0"):
            sides.append(0)
            continue
        try:
            sides.append(read_field(row, side, whole_number))
        except Unclear as error:
            raise AnnotationError(f"{where} {error}") from None
        if not 0 < sides[-1] <= LARGEST_SIDE:
            raise AnnotationError(f"{where} {side} is {show(value)}, which is no size of an image")
    if all(sides):
        return sides[0], sides[1]
    name = row.get("file_name")
    path = folder.find(name) if isinstance(name, str) and name else None
    found = shown_size(path) if path is not None else None
    if found is None:
        lacking = "width" if not sides[0] else "height"
        asked = f"there is no image {name} in {folder.folder} to ask"
        raise AnnotationError(f"{where} has no {lacking}, and {asked}: name the folder of the images")
    if any(side not in (0, real) for side, real in zip(sides, found, strict=True)):
        raise AnnotationError(
            f"{where} is {sides[0] or '?'} x {sides[1] or '?'}, but {path} is {found[0]} x {found[1]}"
        )
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unclear(f"is {show(value)}, which is no name of a file")
    return value


def _check_files(photos: Iterable[Photo], annotations: Path) -> None:
    """Check that image files have the stated sizes, and that no two images are the same file.

    Raises:
        AnnotationError: one hasn't, or they are.
    """
    seen: set[Path] = set()
    for photo in photos:
        if photo.path in seen:
            raise AnnotationError(f"{annotations}: two of its images are the file {photo.path}")
        seen.add(photo.path)
        size = shown_size(photo.path)
        if size is None:
            raise AnnotationError(f"{photo.path}, which {annotations} names, is no image that can be read")
        try:
            photo.check_size(*size)
        except AnnotationError as error:
            raise AnnotationError(f"{annotations}: {error}") from None


def with_outlines(photos: Sequence[Photo], annotations: Path | str, tell: Tell) -> list[Photo]:
    """Return the photos in which everybody has an outline; in others, people would count as background.

    Raises:
        AnnotationError: there is none.
    """
    kept = [photo for photo in photos if photo.outlined]
    if not kept:
        raise AnnotationError(
            f"{annotations}: in none of its images has everybody an outline; boxes aren't enough here"
        )
    if left := len(photos) - len(kept):
        first = next(photo.path.name for photo in photos if not photo.outlined)
        tell(f"  left out: {left} x image with people who have a box, but no outline, first {first}")
    return kept


def images_for_sizes(annotations: Path) -> Path:
    """Return the folder to look for images in where only their sizes may be asked for: beside the file, or its own."""
    try:
        return images_beside(annotations)
    except FileNotFoundError:
        return annotations.parent


def images_beside(annotations: Path) -> Path:
    """Return the image folder of a file: ``images/val2017`` beside the folder of ``instances_val2017_….json``.

    Where there is none, it is ``val2017`` without ``images``, as COCO unpacks, or beside the file, plain ``images``,
    or the file's own folder if there are images in it.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    words = annotations.stem.split("_")
    split = (words[1] if len(words) > 1 else words[0]) or "images"
    beside, root = annotations.parent, annotations.parent.parent
    first, *others = (root / "images" / split, root / split, beside / split, beside / "images", root / "images")
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in beside.iterdir()):
        others.append(beside)
    folder = next((folder for folder in (first, *others) if folder.is_dir()), None)
    if folder is None:
        raise FileNotFoundError(f"{first}, where the images of {annotations} should be, does not exist: name theirs")
    return folder
