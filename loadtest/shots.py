"""The requests of the load tests: photos such as a web back end sends, with the boxes of the people in them."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiseg.bench.mix import parse_people, parse_sizes
from hiseg.bench.workload import Workload

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "docs" / "samples" / "people.jpg"
SIZES = "640x480:50,1024x682:25,1280x720:15,1920x1080:8,4000x3000:2"
"""A site's previews, a camera's frames, and now and then a whole photo."""
PEOPLE = "1:45,2:25,3-5:20,6-12:8,13-30:2"
"""Most images show one or two people, few a crowd."""
SAMPLES, PHOTOS = 60, 60
Row = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Shot:
    """A JPEG and its boxes, ``x1 y1 x2 y2`` in pixels."""

    image: bytes
    boxes: tuple[Row, ...]

    @property
    def query(self) -> str:
        """The boxes as HTTP takes them."""
        return ";".join(",".join(map(str, box)) for box in self.boxes)


def shots(seed: int = 0) -> list[Shot]:
    """Shots in random order: the sample photo in all sizes, and real photos with their people where there are any."""
    random = np.random.default_rng(seed)
    drawn = Workload(parse_sizes(SIZES), parse_people(PEOPLE), {}, photo=SAMPLE).requests(random)[:SAMPLES]
    found = [Shot(request.image, request.boxes) for request in drawn]
    if folder := os.environ.get("HISEG_DATA"):
        photos = list(_photos(Path(folder)))
        found += [photos[index] for index in random.permutation(len(photos))[:PHOTOS]]
    return [found[index] for index in random.permutation(len(found))]


def _photos(folder: Path) -> Iterator[Shot]:
    """The validation split of a person-only COCO folder."""
    split = json.loads((folder / "annotations" / "instances_val_person_only_no_crowd.json").read_text())
    people: defaultdict[int, list[Row]] = defaultdict(list)
    for person in split["annotations"]:
        x, y, width, height = person["bbox"]
        people[person["image_id"]].append((int(x), int(y), int(x + width) + 1, int(y + height) + 1))
    for image in split["images"]:
        yield Shot((folder / "images" / "val" / image["file_name"]).read_bytes(), tuple(people[image["id"]]))
