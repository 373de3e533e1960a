"""Label Studio's requests: tasks with what was drawn on their images, and which of it gets masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from hiseg.api.boxes import check_count
from hiseg.api.json_reader import JsonLimits, LongText, resolve
from hiseg.api.validation import to_hiseg_error
from hiseg.core.errors import MAX_QUOTED_ITEMS, InvalidRequest, TooLarge, shorten
from hiseg.transports.http.label_studio.labelling import Labelling
from hiseg.transports.http.label_studio.rectangles import ImageRectangles

MAX_TASKS = 1000
"""Most tasks of a request."""
MAX_SOURCES = 100
"""Most annotations, most drafts and most predictions of a task."""
MAX_REGIONS = 1000
"""Most regions of an annotation or prediction, whatever their types."""
MAX_IMAGES = 100
"""Most images of a task that have rectangles."""
LIMITS = JsonLimits(max_bytes=1024 * 1024, max_texts=50_000, max_values=50_000)
"""Of a request without its images and the numbers of its brush masks: some thousand regions."""
RECTANGLES = ("rectanglelabels", "rectangle")
OUTLINES = ("ellipse", "ellipselabels", "keypoint", "keypointlabels", "polygon", "polygonlabels")
"""Types of regions that people may be marked with, and that are no rectangles."""


class Regions(BaseModel):
    """An annotation, a draft, a prediction, or the context of an interactive request.

    Which of its regions are needed is found out later, and only those are looked at.
    """

    result: list[Any] | None = Field(default_factory=list, fail_fast=True, max_length=MAX_REGIONS)
    was_cancelled: bool | None = None
    updated_at: Any = None
    created_at: Any = None

    @property
    def changed(self) -> str:
        """When it was changed last, as a text that can be compared; empty: it isn't known."""
        return next((time for time in (self.updated_at, self.created_at) if isinstance(time, str)), "")


Sources = list[Regions | int] | None
"""Exports have numbers where the annotations themselves would be."""


class Task(BaseModel):
    """A task: the place of its image or images, and its annotations and predictions."""

    data: dict[str, Any]
    annotations: Sources = Field(
        None, fail_fast=True, max_length=MAX_SOURCES, validation_alias=AliasChoices("annotations", "completions")
    )
    drafts: Sources = Field(None, fail_fast=True, max_length=MAX_SOURCES)
    predictions: Sources = Field(None, fail_fast=True, max_length=MAX_SOURCES)

    @field_validator("data")
    @classmethod
    def _resolve(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return {key: _resolve_all(value, info) for key, value in data.items()}


class Params(BaseModel):
    """Parameters of a request, which hold for all of its tasks."""

    context: Regions | None = None


class PredictIn(BaseModel):
    """A request for predictions.

    Attributes:
        tasks: each a :class:`Task`, or the error of one that isn't; if all are wrong, so is the request.
        label_config: the labelling configuration.
        params: parameters.
        model_version: the model that is wanted, as ``/setup`` names it.
    """

    tasks: list[Task] = Field(fail_fast=True, max_length=MAX_TASKS)
    label_config: Annotated[LongText, BeforeValidator(lambda text: "" if text is None else text)]
    params: Params | None = None
    model_version: Any = None

    @field_validator("tasks", mode="wrap")
    @classmethod
    def _read_each(cls, value: Any, read: ValidatorFunctionWrapHandler) -> list[Task | InvalidRequest | TooLarge]:
        try:
            return list(read(value))
        except ValidationError as error:
            if not isinstance(value, list) or not 1 < len(value) <= MAX_TASKS:
                raise
            tasks: list[Task | InvalidRequest | TooLarge] = []
            for task in value:
                try:
                    tasks += read([task])
                except ValidationError as own:
                    wrong = to_hiseg_error(own) if isinstance(task, dict) else InvalidRequest("it is not an object")
                    tasks.append(wrong)
            if not any(isinstance(task, Task) for task in tasks):
                raise error
            return tasks


class SetupIn(BaseModel):
    """A project that the backend is connected to."""

    schema_: Annotated[LongText, BeforeValidator(lambda text: "" if text is None else text)] = Field(alias="schema")


class EventIn(BaseModel):
    """Something that happened in a project, with all that it happened to."""

    action: str = ""


def rectangles_of(
    task: Task, params: Params | None, labelling: Labelling, max_boxes: int
) -> tuple[list[ImageRectangles], list[str]]:
    """The rectangles of a task that get masks, image by image, and notes about what gets none.

    Those just drawn, if the request is interactive; else those of the latest draft, annotation or prediction, in this
    order, that has any.

    Args:
        task: the task with its annotations and predictions.
        params: parameters of the request.
        labelling: the project's tags.
        max_boxes: most rectangles of an image that are taken.

    Returns:
        One item for each image that has rectangles, or the first image if none has.

    Raises:
        InvalidRequest: something was just drawn, but no rectangle.
        TooLarge: there are more than are taken.
    """
    if params and params.context and params.context.result:
        if found := _rectangles_in(params.context, labelling, max_boxes):
            return found, []
        kinds = ", ".join(_kinds([params.context])) or "nothing for an image that has a brush"
        raise InvalidRequest(
            f"only rectangles become masks, and what was drawn is: {kinds}", field="params.context", value=kinds
        )
    annotations = [source for source in _regions(task.annotations) if not source.was_cancelled]
    drafts, predictions = _regions(task.drafts), _regions(task.predictions)
    for source in chain(*map(_latest_first, (drafts, annotations, predictions))):
        if found := _rectangles_in(source, labelling, max_boxes):
            others = [kind for kind in _kinds([source]) if kind in OUTLINES]
            return found, [f"only rectangles become masks, not {', '.join(others)}"] if others else []
    drawn = _kinds([*drafts, *annotations, *predictions])
    shapes = [kind for kind in drawn if kind in OUTLINES]
    note = "the task has no rectangles"
    if any(kind in RECTANGLES for kind in drawn):
        note += f" on an image that has a brush: {', '.join(list(labelling.images)[:MAX_QUOTED_ITEMS])}"
    elif shapes:
        note += f"; {', '.join(shapes)} become no masks"
    return [ImageRectangles(next(iter(labelling.images)))], [note]


def _rectangles_in(source: Regions, labelling: Labelling, max_boxes: int) -> list[ImageRectangles]:
    """The rectangles on images that have a brush; the first such image is meant where a region names none."""
    first = next(iter(labelling.images))
    found: dict[tuple[str, int], ImageRectangles] = {}
    regions = [region for region in source.result or [] if isinstance(region, dict)]
    for region in regions:
        image, item = region.get("to_name") or first, region.get("item_index") or 0
        if region.get("type") in RECTANGLES and isinstance(image, str) and image in labelling.images:
            item = item if type(item) is int and item > 0 and labelling.images[image].is_list else 0
            found.setdefault((image, item), ImageRectangles(image, item)).regions.append(region)
    if len(found) > MAX_IMAGES:
        raise TooLarge(
            f"there are rectangles on {len(found)} images; at most {MAX_IMAGES} are taken",
            field="item_index",
            limit=MAX_IMAGES,
            value=len(found),
        )
    # A rectangle and its label are two regions of one id where the project has <Rectangle> and <Labels>.
    labels = {each["id"]: each for each in regions if each.get("type") == "labels" and isinstance(each.get("id"), str)}
    for rectangles in found.values():
        check_count(len(rectangles.regions), max_boxes)
        rectangles.labels = labels
    return list(found.values())


def _regions(sources: Sources) -> list[Regions]:
    return [source for source in sources or [] if isinstance(source, Regions)]


def _latest_first(sources: Sequence[Regions]) -> Iterable[Regions]:
    return sorted(sources, key=lambda source: source.changed)[::-1]


def _kinds(sources: Iterable[Regions]) -> list[str]:
    """The types of the regions, each once."""
    regions = chain.from_iterable(source.result or [] for source in sources)
    kinds = (region.get("type") for region in regions if isinstance(region, dict))
    return list(dict.fromkeys(shorten(kind) for kind in kinds if isinstance(kind, str) and kind))[:MAX_QUOTED_ITEMS]


def _resolve_all(value: object, info: ValidationInfo) -> object:
    """Put long texts in their places, also within lists and objects."""
    found = resolve(value, info)
    if isinstance(found, list):
        return [_resolve_all(item, info) for item in found]
    if isinstance(found, dict):
        return {key: _resolve_all(item, info) for key, item in found.items()}
    return found
