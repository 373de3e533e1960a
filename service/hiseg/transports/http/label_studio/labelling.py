"""Reads from a project's labelling configuration (XML) where images are, and which tags and labels masks are for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

from hiseg.core.errors import InvalidRequest, shorten
from hiseg.transports.http.label_studio.labels import Control, Label, LabelChoice

MAX_LENGTH = 100_000
"""Most characters of a configuration."""
MAX_NAME_LENGTH = 200
"""Most characters of a name and of a label: each region of an answer repeats them."""
MAX_TAGS = 10_000
"""Most tags of a configuration, opening and closing: a hundred thousand characters could have three times as many."""
MAX_CONTROLS = 100
"""Most brushes and tags with labels: each is looked through for the label of each rectangle."""
BRUSHES = ("brushlabels", "brush")
"""Types of results that are masks, which are also the names of their tags; the first is preferred."""
HARMLESS = ("<!--", "<![CDATA[")
"""What may begin with ``<!``. Entities may not: they are how a small document becomes a large one."""
_VARIABLE = re.compile(r"\$([\w.\[\]]+)")


@dataclass(frozen=True)
class ImageTag:
    """Where the image of a task, or its images, are.

    Attributes:
        name: name of the tag.
        value: ``$`` and the key of a task's data, perhaps with a path inside it, or text with such keys in it.
        is_list: there are several images, which regions tell apart by their ``item_index``.
    """

    name: str
    value: str
    is_list: bool = False

    def field(self, item: int = 0) -> str:
        """What errors call the reference to the image; ``item`` is its number, if there are several."""
        return shorten(f"data.{self.value.removeprefix('$')}") + (f"[{item}]" if self.is_list else "")

    def reference(self, data: Mapping[str, Any], item: int = 0) -> object:
        """The reference to the image in a task's data; None: there is none.

        Args:
            data: data of the task.
            item: number of the image, if there are several.
        """
        if self.value.startswith("$") and "$" not in self.value[1:]:
            found = _look_up(self.value[1:], data)
        else:
            found = _VARIABLE.sub(lambda match: str(_look_up(match[1], data) or ""), self.value)
        if isinstance(found, list):
            return found[item] if item < len(found) else None
        return found if item == 0 else None


@dataclass(frozen=True)
class Labelling:
    """The tags of a project that masks belong to.

    Attributes:
        images: the images that have a brush, by the names of their tags.
        controls: the tags with labels, and the brushes, by their names.
    """

    images: Mapping[str, ImageTag]
    controls: Mapping[str, Control]

    def of_task(self, data: Mapping[str, Any]) -> Labelling:
        """The same with the labels that a task has of its own, where the configuration leaves them to its data.

        Raises:
            InvalidRequest: they are no labels, or too long.
        """
        if not any(control.variable for control in self.controls.values()):
            return self
        controls = {
            name: control.with_labels(_look_up(control.variable, data), MAX_NAME_LENGTH)
            if control.variable
            else control
            for name, control in self.controls.items()
        }
        return replace(self, controls=controls)

    def choose(self, image: str, from_name: str, names: list[str]) -> LabelChoice:
        """Choose the brush and the label for the mask of a rectangle.

        Args:
            image: name of the image's tag.
            from_name: name of the tag that the rectangle was drawn with; empty: it isn't known.
            names: the rectangle's labels, as Label Studio stores them.
        """
        brushes = list(self._for(image, *BRUSHES))
        others = list(self._for(image, "labels"))
        source = self.controls.get(from_name) or next(self._for(image, "rectanglelabels", "labels"), None)
        for brush in brushes:
            for control in [brush] if brush.kind == "brushlabels" else others:
                if found := control.translate(names, source):
                    return LabelChoice(brush, control, found)
        brush = brushes[0]
        if brush.kind != "brushlabels":
            return LabelChoice(brush, None, None)
        if not brush.labels:
            return LabelChoice(brush, brush, names[0] if names else None)
        return LabelChoice(brush, brush, brush.labels[0].stored, instead_of=names[0] if names else "")

    def _for(self, image: str, *kinds: str) -> Iterator[Control]:
        for kind in kinds:
            yield from (each for each in self.controls.values() if each.kind == kind and image in each.images)


def read_labelling(text: str, field: str) -> Labelling:
    """Find the images of a configuration and the brushes for them; it may take some milliseconds.

    Args:
        text: the configuration, XML.
        field: field of the request that the configuration stood in, for errors.

    Raises:
        InvalidRequest: it is no XML, has no image with a brush for it, or a name or label of theirs is too long.
    """
    _check_size(text, field)
    try:
        root = ElementTree.fromstring(text.strip("\ufeff \t\r\n"))
    except (ElementTree.ParseError, ValueError) as error:
        what = f"not XML: {error}" if text.strip() else "empty: hiseg needs the project's labelling configuration"
        raise InvalidRequest(f"{field} is {what}", field=field, value=text) from error
    images, controls = {}, {}
    for tag in root.iter():
        # As Label Studio's editor does, which doesn't tell capitals in the names of tags and attributes.
        attributes = {name.lower(): value for name, value in tag.attrib.items()}
        name, kind = attributes.get("name", ""), tag.tag.lower()
        value = attributes.get("valuelist") or attributes.get("value", "")
        if kind == "image" and name and value:
            images[name] = ImageTag(name, value, "valuelist" in attributes)
        elif kind in ("rectanglelabels", "labels", *BRUSHES) and name:
            targets = tuple(part.strip() for part in attributes.get("toname", "").split(","))
            labels = tuple(_labels_in(tag)) if kind.endswith("labels") else ()
            variable = value.removeprefix("$") if value.startswith("$") else ""
            controls[name] = Control(name, kind, targets, labels, variable)
    if len(controls) > MAX_CONTROLS:
        raise InvalidRequest(
            f"{field} has {len(controls)} brushes and tags with labels; at most {MAX_CONTROLS} are taken",
            field=field,
            limit=MAX_CONTROLS,
            value=len(controls),
        )
    brushes = [control for control in controls.values() if control.kind in BRUSHES]
    with_brush = {name: image for name, image in images.items() if any(name in brush.images for brush in brushes)}
    if not with_brush:
        raise InvalidRequest(
            f"{field} has no <BrushLabels> or <Brush> for an <Image>, which masks could be for",
            field=field,
            value=text,
        )
    texts = [*with_brush, *controls]
    texts += [each for control in controls.values() for label in control.labels for each in (label.stored, label.value)]
    longest = max(texts, key=len)
    if len(longest) > MAX_NAME_LENGTH:
        raise InvalidRequest(
            f"{field} has a name of {len(longest)} characters; at most {MAX_NAME_LENGTH} are taken",
            field=field,
            limit=MAX_NAME_LENGTH,
            value=longest,
        )
    return Labelling(with_brush, controls)


def _check_size(text: str, field: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidRequest(
            f"{field} is longer than {MAX_LENGTH} characters", field=field, limit=MAX_LENGTH, value=len(text)
        )
    if text.count("<!") > sum(text.count(beginning) for beginning in HARMLESS):
        raise InvalidRequest(f"{field} declares a document type or entities, which aren't read", field=field)
    tags = text.count("<")
    if tags > MAX_TAGS:
        raise InvalidRequest(
            f"{field} has {tags} tags; at most {MAX_TAGS} are read", field=field, limit=MAX_TAGS, value=tags
        )


def _labels_in(tag: ElementTree.Element) -> Iterator[Label]:
    for each in tag.iter():
        if each.tag.lower() == "label":
            value, alias = each.get("value", ""), each.get("alias", "")
            if value or alias:
                predicted = each.get("predicted_values", "").split(",")
                yield Label(value or alias, alias or value, tuple(filter(None, map(str.strip, predicted))))


def _look_up(path: str, data: Mapping[str, Any]) -> Any:
    """What stands in a task's data under a key, or at a path such as ``photos[0].url``; None: nothing."""
    if path in data:
        return data[path]
    found: Any = data
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and len(part) < 6 and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found
