"""Reads from a project's labelling configuration (XML) which tags masks are for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from xml.etree import ElementTree

from hiseg.core.errors import InvalidRequest

MAX_LENGTH = 100_000
"""Most characters of a configuration."""
MAX_NAME_LENGTH = 200
"""Most characters of a name and of a label: each region of an answer repeats them."""
MAX_TAGS = 10_000
"""Most tags of a configuration, opening and closing: a hundred thousand characters could have three times as many."""
BRUSHES = {"brushlabels": "BrushLabels", "brush": "Brush"}
"""Types of results that are masks, and the tags that they belong to."""


@dataclass(frozen=True)
class Labelling:
    """The tags of a project that masks belong to.

    Attributes:
        brush: name of the tag for masks.
        kind: type of their results: ``brushlabels`` or ``brush``.
        labels: labels that a mask can have; none with ``brush``.
        image: name of the tag of the image.
        key: key of a task's data under which the reference to the image stands.
    """

    brush: str
    kind: str
    labels: tuple[str, ...]
    image: str
    key: str

    @cached_property
    def known_labels(self) -> frozenset[str]:
        """The labels, to look one up among thousands."""
        return frozenset(self.labels)


def read_labelling(text: str, field: str) -> Labelling:
    """Find the image of a configuration and the brush for it; it may take some milliseconds.

    Args:
        text: the configuration, XML.
        field: field of the request that the configuration stood in, for errors.

    Raises:
        InvalidRequest: it is no XML, has no image or no brush for it, or a name or label of theirs is too long.
    """
    # Entities are how a small document becomes a large one; Label Studio's configurations have none.
    if len(text) > MAX_LENGTH or "<!" in text.replace("<!--", ""):
        raise InvalidRequest(
            f"{field} is longer than {MAX_LENGTH} characters, or declares entities",
            field=field,
            limit=MAX_LENGTH,
            value=len(text),
        )
    tags = text.count("<")
    if tags > MAX_TAGS:
        raise InvalidRequest(
            f"{field} has {tags} tags; at most {MAX_TAGS} are read", field=field, limit=MAX_TAGS, value=tags
        )
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise InvalidRequest(f"{field} is not XML: {error}", field=field, value=text) from error
    images = {image.get("name", ""): image.get("value", "").removeprefix("$") for image in root.iter("Image")}
    for kind, tag in BRUSHES.items():
        for brush in root.iter(tag):
            image = brush.get("toName", "")
            if images.get(image):
                labels = tuple(label.get("value", "") for label in brush.iter("Label"))
                names = (brush.get("name", ""), image, images[image])
                longest = max((*names, *labels), key=len)
                if len(longest) > MAX_NAME_LENGTH:
                    raise InvalidRequest(
                        f"{field} has a name of {len(longest)} characters; at most {MAX_NAME_LENGTH} are taken",
                        field=field,
                        limit=MAX_NAME_LENGTH,
                        value=longest,
                    )
                return Labelling(names[0], kind, labels, *names[1:])
    raise InvalidRequest(
        f"{field} has no <BrushLabels> or <Brush> for an <Image>, which masks could be for",
        field=field,
        value=text,
    )
