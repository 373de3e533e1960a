"""The options of a request for masks, which are the same on every transport, and the job that they make of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hiseg.api.boxes import BoxFormat, to_boxes
from hiseg.api.encoding import MaskFormat
from hiseg.api.numbers import as_number
from hiseg.api.units import NOBODY, check_units, notes_on_boxes
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import ImageSource
from hiseg.core.job import (
    DEFAULT_TOLERANCE_PX,
    MAX_DILATION_PX,
    MAX_TOLERANCE_PX,
    Finding,
    Job,
    Mode,
    PostProcessing,
    Priority,
    Smoothing,
)
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits
from hiseg.segmenter import NO_FINDER

MAX_DEADLINE_S = 600
"""Longest deadline that a request may name."""
MAX_MODEL_LENGTH = 255
"""Most characters of the name of a model, as of a folder."""
MODE = """`instance`: a mask per box, and per person found; `binary`: one mask of everybody, which is the union of these
masks, or without boxes the foreground of the image, from a model that gives it"""
MAX_VARIANT_LENGTH = 40
"""Most characters of the name of a variant."""
Rows: TypeAlias = Sequence[Sequence[float]]
"""Boxes as they were sent: rows of four numbers."""
Boxes: TypeAlias = Rows | Callable[[int, int], tuple[Box, ...]] | None
"""Rows of four numbers in the format that the options name, or a function that returns the boxes in pixels of an image
of the given width and height. None: they are left out, which isn't the same as that there are none."""
MAX_PEOPLE = 1_000_000
"""Upper limit of ``max_people``; the service's own limit of boxes counts too."""


@dataclass(frozen=True, slots=True)
class FindDefaults:
    """How people are found where a request says nothing else.

    Attributes:
        threshold: score from which on somebody counts as found.
        max_boxes: most people of an answer, those whose boxes were sent included.
    """

    threshold: float
    max_boxes: int


class Options(BaseModel):
    """The options of a segmentation request, without its image and boxes."""

    model_config = ConfigDict(extra="forbid")

    variant: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_VARIANT_LENGTH,
        description="`b0`, `b1` or `b7`; the service's default if left out",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_MODEL_LENGTH,
        description="name of the model, as `/v1/models` lists it; with `variant` too, it must be of that variant",
    )
    mode: Mode = Field(default=Mode.INSTANCE, description=MODE)
    box_format: BoxFormat = Field(default=BoxFormat.XYXY, description="what the four numbers of a box mean")
    normalized: bool = Field(default=False, description="boxes are shares 0..1 of the image's width and height")
    mask_format: MaskFormat = Field(
        default=MaskFormat.COCO_RLE,
        description="`label_map` and `overlay` answer with a PNG, and so does `cutout` with `Accept: image/png`",
    )
    tolerance_px: float = Field(
        default=DEFAULT_TOLERANCE_PX,
        ge=0,
        le=MAX_TOLERANCE_PX,
        allow_inf_nan=False,
        description="of `polygon`: how far corners that are left out may lie from the line; 0 leaves out none",
    )
    threshold: float = Field(
        default=0.5, gt=0, lt=1, allow_inf_nan=False, description="probability above which a pixel belongs to the mask"
    )
    smoothing: Smoothing = Field(
        default=Smoothing.NONE,
        description="of the probabilities: `edge` evens out ragged outlines, `bilateral` noise beside sharp outlines",
    )
    dilation_px: int = Field(
        default=0,
        ge=0,
        le=MAX_DILATION_PX,
        description="image pixels by which masks grow on all sides, beyond their boxes too, but not beyond the image",
    )
    resolve_overlaps: bool = Field(
        default=False, description="a pixel that several masks claim is left to the person of whom the model is surest"
    )
    find: bool | None = Field(
        default=None,
        description="whether people are found, beside those of the boxes; by default where boxes are left out",
    )
    find_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="score from which on somebody counts as found; the service's default if left out",
    )
    max_people: int | None = Field(
        default=None, gt=0, le=MAX_PEOPLE, description="most people that are found: the surest"
    )
    deadline_ms: int | None = Field(
        default=None, gt=0, le=MAX_DEADLINE_S * 1000, description="the answer is worthless after this time"
    )
    priority: Priority = Field(
        default=Priority.INTERACTIVE, description="`batch` gets a tenth of the share of `interactive`"
    )

    @field_validator(
        "tolerance_px", "threshold", "dilation_px", "deadline_ms", "find_threshold", "max_people", mode="before"
    )
    @classmethod
    def _numbers_are_written_as_such(cls, value: object) -> object:
        return as_number(value)

    def to_job(
        self,
        image: bytes | ImageSource,
        boxes: Boxes,
        limits: ImageLimits,
        model: str,
        *,
        client: str = "",
        deadline: float | None = None,
        stream: int | None = None,
        latest: bool = False,
        traceparent: str = "",
        notes: tuple[str, ...] = (),
        finding: FindDefaults | None = None,
    ) -> Job:
        """Make the job of an image and its boxes; every job is made here. Of an encoded image only the header is read.

        Args:
            image: encoded, or an image source.
            boxes: boxes of the people; see :data:`Boxes`.
            limits: limits of the encoded image.
            model: name of the model that is asked for.
            client: the client whose share of the engine the job uses.
            deadline: when the answer is of no use any more, on :func:`time.monotonic`'s clock; None: never.
            stream: number of the client's stream that the job is a frame of; None: of none.
            latest: a newer job of the stream may take its place; see :class:`Job`.
            traceparent: trace context; empty: it isn't traced.
            notes: what the answer shall say beside what there is to say of the boxes.
            finding: how people are found by default; None: no model is served that finds any.

        Raises:
            TooLarge: more bytes or pixels than are taken.
            UnsupportedImage: not an image type that is taken.
            UndecodableImage: the header is damaged.
            InvalidRequest: a bad box, or no box has a pixel of the image in it; frames of a stream may have such boxes.
                Or people are to be found, and no model is served that could.
        """
        to_find = None if callable(boxes) else self._to_find(None if boxes is None else len(boxes), finding)
        source = inspect(image, limits) if isinstance(image, bytes) else image
        if boxes is None:
            in_pixels: tuple[Box, ...] = ()
        elif callable(boxes):
            in_pixels = boxes(source.width, source.height)
            to_find = self._to_find(len(in_pixels), finding)
        else:
            in_pixels = to_boxes(boxes, source.width, source.height, self.box_format, self.normalized)
            if stream is None:
                check_units(boxes, in_pixels, source.width, source.height, self.box_format, self.normalized)
        notes += notes_on_boxes(in_pixels, source.width, source.height)
        if not in_pixels and self.mode is Mode.INSTANCE and to_find is None:
            notes += (NOBODY,)
        return Job(
            source,
            in_pixels,
            model,
            self.mode,
            PostProcessing(self.smoothing, self.threshold, self.dilation_px, self.resolve_overlaps),
            client,
            self.priority,
            deadline,
            stream,
            latest=latest,
            traceparent=traceparent,
            notes=notes,
            finding=to_find,
        )

    def looks_for_people(self, sent: int | None) -> bool:
        """Whether people are to be found.

        In binary mode without boxes nobody is: everybody is the foreground of the image.

        Args:
            sent: number of boxes; None: they are left out.
        """
        if self.mode is Mode.BINARY and not sent:
            return False
        return sent is None if self.find is None else self.find

    def _to_find(self, sent: int | None, defaults: FindDefaults | None) -> Finding | None:
        """Whom to find, beside so many boxes that were sent; None: nobody.

        Raises:
            InvalidRequest: there is no model for it, or boxes are missing that it would find.
        """
        if defaults is None and self.find:
            raise InvalidRequest(f"find=true, and {NO_FINDER}; send boxes", field="find", value=True)
        if not self.looks_for_people(sent):
            return None
        if defaults is None:
            raise InvalidRequest(f"boxes are missing; mode=binary needs none, and {NO_FINDER}", field="boxes")
        threshold = defaults.threshold if self.find_threshold is None else self.find_threshold
        most = max(0, defaults.max_boxes - (sent or 0))
        return Finding(threshold, most if self.max_people is None else min(self.max_people, most))
