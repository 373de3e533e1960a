"""Which label a mask has: projects name the labels of rectangles and of masks each on their own.

A label has a value, which annotators see, and perhaps an alias, which Label Studio stores in its stead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hiseg.core.errors import InvalidRequest, TooLarge

MAX_TASK_LABELS = 1000
"""Most labels that a task may have of its own."""


@dataclass(frozen=True)
class Label:
    """A label of a tag.

    Attributes:
        value: what annotators see.
        stored: what stands in results: the alias, or else the value.
        predicted: further names that mean this label, as the attribute ``predicted_values`` lists them.
    """

    value: str
    stored: str
    predicted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Control:
    """A tag that regions are drawn or labelled with.

    Attributes:
        name: its name, which regions have as ``from_name``.
        kind: name of the tag in small letters, which is also the type of its results.
        images: names of the images that it is for.
        labels: its labels.
        variable: key of a task's data that has the labels; empty: the configuration has them.
    """

    name: str
    kind: str
    images: tuple[str, ...]
    labels: tuple[Label, ...] = ()
    variable: str = ""

    @cached_property
    def _by_stored(self) -> dict[str, Label]:
        return _first((label.stored, label) for label in self.labels)

    @cached_property
    def _by_value(self) -> dict[str, Label]:
        return _first((label.value, label) for label in self.labels)

    @cached_property
    def _by_any_name(self) -> dict[str, Label]:
        """Labels by all their names without regard to capitals; the nearest meaning first."""
        names = [(label.stored, label) for label in self.labels] + [(label.value, label) for label in self.labels]
        names += [(name, label) for label in self.labels for name in label.predicted]
        return _first((name.casefold().strip(), label) for name, label in names)

    def find(self, name: str) -> Label | None:
        """The label that results call ``name``."""
        return self._by_stored.get(name) or self._by_value.get(name) or self._by_any_name.get(name.casefold().strip())

    def translate(self, names: Sequence[str], source: Control | None) -> str | None:
        """What results call the label of this tag that means the same as a label of another; None: there is none.

        Args:
            names: labels of a region, as results call them.
            source: the tag that they are labels of; None: it isn't known.
        """
        for name in names:
            meant = source.find(name) if source else None
            # First by what annotators see, since an alias of one label may be the value of another.
            found = (self._by_value.get(meant.value) if meant else None) or self.find(name)
            found = found or (self.find(meant.value) if meant else None)
            if found:
                return found.stored
        return None

    def with_labels(self, labels: object, max_length: int) -> Control:
        """The same with labels that a task's data has: texts, or objects as ``<Label>`` has attributes.

        Raises:
            TooLarge: there are too many.
            InvalidRequest: they are no labels, or too long.
        """
        field = f"data.{self.variable}"
        if labels is None:
            return self
        if not isinstance(labels, list):
            raise InvalidRequest(f"{field} is not a list of labels", field=field)
        if len(labels) > MAX_TASK_LABELS:
            raise TooLarge(
                f"{field} has {len(labels)} labels; at most {MAX_TASK_LABELS} are taken",
                field=field,
                limit=MAX_TASK_LABELS,
                value=len(labels),
            )
        read = []
        for item in labels:
            found = {"value": item} if isinstance(item, str) else item if isinstance(item, dict) else {}
            value, alias = found.get("value"), found.get("alias")
            stored = alias or value
            if not isinstance(stored, str) or not isinstance(value, str | None):
                raise InvalidRequest(f"{field} has an item that is no label", field=field, value=item)
            if max(len(stored), len(value or "")) > max_length:
                raise InvalidRequest(
                    f"{field} has a label of more than {max_length} characters",
                    field=field,
                    limit=max_length,
                    value=stored,
                )
            read.append(Label(value or stored, stored))
        return replace(self, labels=self.labels + tuple(read))


@dataclass(frozen=True)
class LabelChoice:
    """The brush and the label of a mask.

    Attributes:
        brush: the tag of the mask.
        control: the tag of the label; the brush itself, or a ``<Labels>`` beside it; None: masks have no label.
        label: the label as results call it; None: the mask has none.
        instead_of: label of the rectangle that the project has no equal of for masks; empty: it has one.
    """

    brush: Control
    control: Control | None
    label: str | None
    instead_of: str = ""


def _first(pairs: Iterable[tuple[str, Label]]) -> dict[str, Label]:
    found: dict[str, Label] = {}
    for name, label in pairs:
        found.setdefault(name, label)
    return found
