"""Attacks with valid requests that are dear: the most people, the largest masks, every option; and late ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from PIL import Image

from benchmarks.harness.paths import SAMPLE
from benchmarks.hostile import images
from benchmarks.hostile.kind import Attack, Kind, Target, repeat
from benchmarks.hostile.pictures import HIGH, WIDE, media_type
from benchmarks.hostile.wire import post

PEOPLE = 100
DEAREST = "dilation_px=100&smoothing=bilateral&resolve_overlaps=true&threshold=0.0001"

FORMATS = {"runs": ("coco_rle", "png"), "outlines": ("polygon", "cutout"), "pictures": ("overlay", "label_map")}
"""Names of kinds, and the mask formats that they ask for in turn."""


def photo(width: int, height: int) -> bytes:
    """The sample photo, enlarged."""
    file = io.BytesIO()
    Image.open(SAMPLE).resize((width, height)).save(file, "JPEG", quality=40)
    return file.getvalue()


def boxes(side: int, step: int) -> str:
    """A hundred boxes that overlap."""
    corners = ((number * step, number * step // 2) for number in range(PEOPLE))
    return ";".join(f"{x},{y},{x + side},{y + side}" for x, y in corners)


def send(
    image: Callable[[], bytes], queries: Sequence[str], callers: int, deadline_ms: int = 0, pause: float = 0.2
) -> Callable[[Target], Attack]:
    """Callers that send one image over and over with each of some queries in turn."""

    def prepare(target: Target) -> Attack:
        built = image()
        sent = 0
        deadline = f"&deadline_ms={deadline_ms}" if deadline_ms else ""

        def once() -> str:
            nonlocal sent
            query = queries[sent % len(queries)]
            sent += 1
            return post(target, f"/v1/segment?{query}{deadline}", built, media_type(built))

        return repeat(once, callers, pause)

    return prepare


def dearest(mask_format: str) -> str:
    """A query for a hundred masks of 49 MP with every option, in one format."""
    tolerance = "&tolerance_px=0" if mask_format == "polygon" else ""
    return f"mask_format={mask_format}&boxes={boxes(980, 20)}&{DEAREST}{tolerance}"


KINDS = (
    *(
        Kind(
            f"masks-{name}",
            f"two callers: 100 people on 49 MP, dilated by 100 pixels, smoothed, as `{'`, `'.join(formats)}`",
            send(lambda: photo(WIDE, HIGH), [dearest(each) for each in formats], callers=2, deadline_ms=8000),
        )
        for name, formats in FORMATS.items()
    ),
    Kind(
        "masks-crowds",
        "four callers: 100 people on the sample photo",
        send(SAMPLE.read_bytes, [f"boxes={boxes(200, 7)}"], callers=4),
    ),
    Kind(
        "many-callers",
        "forty callers of one address with ordinary requests, one after the other without a pause",
        send(SAMPLE.read_bytes, ["boxes=22,15,365,512;526,18,949,512"], callers=40, pause=0.0),
    ),
    Kind(
        "late-images",
        "four callers: progressive JPEG of 49 MP with a deadline of 0.3 s",
        send(lambda: images.noise(WIDE, HIGH, progressive=True), ["boxes=1,1,7,7"], callers=4, deadline_ms=300),
    ),
    Kind(
        "late-scans",
        "four callers: progressive JPEG of 48 MP with 300 empty scans and a deadline of 0.5 s",
        send(lambda: images.many_scans(8000, 6000, 300), ["boxes=1,1,7,7"], callers=4, deadline_ms=500),
    ),
    Kind(
        "late-masks",
        "four callers: those 100 masks, with a deadline of 1.5 s",
        send(
            lambda: photo(WIDE, HIGH),
            [dearest(name) for name in ("coco_rle", "polygon", "overlay")],
            callers=4,
            deadline_ms=1500,
        ),
    ),
)
