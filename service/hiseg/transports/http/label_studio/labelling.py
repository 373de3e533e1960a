"""A project's labelling configuration (XML) -> the tags that masks are for."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from hiseg.core.errors import InvalidRequest

LONGEST = 100_000
"""Characters of a configuration."""
BRUSHES = {"brushlabels": "BrushLabels", "brush": "Brush"}
"""Types of results that are masks, and the tags that they are for."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """Where masks go.

    Attributes:
        brush: name of the tag that masks are for.
        kind: type of their results: ``brushlabels`` or ``brush``.
        labels: that a mask can have; none with ``brush``.
        image: name of the image's tag.
        key: of a task's data, where the image is.
    """

    brush: str
    kind: str
    labels: tuple[str, ...]
    image: str
    key: str


def read_labelling(text: str, field: str) -> Labelling:
    """The configuration's image and its brush.

    Args:
        text: XML.
        field: of the request, where it stood.

    Raises:
        InvalidRequest: no XML, or without an image or a brush for it.
    """
    # Entities are how a small document becomes a large one; Label Studio's configurations have none.
    if len(text) > LONGEST or "<!" in text.replace("<!--", ""):
        raise InvalidRequest(
            f"{field} is longer than {LONGEST} characters, or declares entities",
            field=field,
            limit=LONGEST,
            value=len(text),
        )
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InvalidRequest(f"{field} is not XML: {error}", field=field, value=text[:80]) from error
    images = {image.get("name", ""): image.get("value", "").removeprefix("$") for image in root.iter("Image")}
    for kind, tag in BRUSHES.items():
        for brush in root.iter(tag):
            image = brush.get("toName", "")
            if images.get(image):
                labels = tuple(label.get("value", "") for label in brush.iter("Label"))
                return Labelling(brush.get("name", ""), kind, labels, image, images[image])
    raise InvalidRequest(
        f"{field} has no <BrushLabels> or <Brush> for an <Image>, which masks could be for",
        field=field,
        value=text[:80],
    )
