"""Makes the files of one photo's masks: a picture, a picture for each person, or the answer as JSON.

Results of models in this process and of a service come the same way, so their files are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hiseg.api.answer import round_timings, to_json
from hiseg.api.encoding import MaskFormat, to_picture
from hiseg.client.result import Result
from hiseg.core import result as core
from hiseg.core.box import Box
from hiseg.core.image import Image, Size
from hiseg.core.job import DEFAULT_TOLERANCE_PX
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.formats.picture import PictureType, encode_picture

if TYPE_CHECKING:
    from hiseg.images.encoded import EncodedImage

PICTURES = (MaskFormat.OVERLAY, MaskFormat.LABEL_MAP, MaskFormat.CUTOUT)
"""Formats that are one picture of all people."""
WITHOUT_LOSS = (MaskFormat.LABEL_MAP, MaskFormat.PNG)
"""Formats whose pixels are numbers of people: they are written as PNG alone."""
JSON_END = ".json"
STAGES = ("decode", "queue", "find", "infer", "masks", "encode")
"""The stages that are timed, in their order, which gRPC doesn't keep."""


@dataclass(frozen=True)
class Drawing:
    """What files are made of a photo's masks.

    Attributes:
        mask_format: ``overlay``, ``label_map`` and ``cutout`` give one picture, ``png`` a black and white one for each
            person, and the others JSON.
        picture: type of pictures.
        tolerance_px: how far the outlines of ``polygon`` may be simplified, in pixels.
    """

    mask_format: MaskFormat = MaskFormat.OVERLAY
    picture: PictureType = PictureType.PNG
    tolerance_px: float = DEFAULT_TOLERANCE_PX

    def ends(self, count: int) -> list[str]:
        """What the names of the files end with that :meth:`files` gives, for so many masks."""
        if self.mask_format in PICTURES:
            return [f".{self.picture.value}"]
        if self.mask_format is MaskFormat.PNG:
            return [f"-{number}.{self.picture.value}" for number in range(1, count + 1)]
        return [JSON_END]

    def files(self, photo: bytes, result: Result) -> list[bytes]:
        """Write the files of a photo, one for each of :meth:`ends`.

        Args:
            photo: the encoded image, which the masks were made of.
            result: the masks.

        Raises:
            TooLarge: there are more people than a label map has labels, or pixels than a type of file can have.
            ModuleNotFoundError: overlays and cut-outs need the extra ``service``, which isn't installed.
        """
        if self.mask_format in PICTURES:
            return [self.draw(photo, result)]
        if self.mask_format is MaskFormat.PNG:
            found = to_core(result)
            return [_black_and_white(mask, found, self.picture) for mask in found.masks]
        return [self.json(photo, result, indent=2)]

    def draw(self, photo: bytes, result: Result) -> bytes:
        """Draw the one picture of all people; see :meth:`files`."""
        return to_picture(Source(photo, result), to_core(result), self.mask_format, self.picture)

    def json(self, photo: bytes, result: Result, indent: int | None = None) -> bytes:
        """Write the answer as the service does, with a line break at the end.

        Where the format is a picture, masks are run lengths (``coco_rle``). Crops are as small as their masks.
        """
        form = MaskFormat.COCO_RLE if self.mask_format.is_image else self.mask_format
        answer = to_json(Source(photo, result), to_core(result), form, self.tolerance_px)
        return answer.model_dump_json(indent=indent, exclude_none=True).encode() + b"\n"


class Source:
    """A photo that is decoded only if its pixels are looked at; a :class:`hiseg.core.image.ImageSource`.

    Masks alone can be written where no decoder is installed.

    Args:
        photo: the encoded image.
        result: has its size.
    """

    def __init__(self, photo: bytes, result: Result) -> None:
        self.width, self.height = result.width, result.height
        self._photo = photo

    @property
    def nbytes(self) -> int:
        return len(self._photo)

    @property
    def decoding_bytes(self) -> int:
        return self._encoded.decoding_bytes

    def decoding_bytes_for(self, at_least: Size | None) -> int:
        return self._encoded.decoding_bytes_for(at_least)

    def decode(self, at_least: Size | None = None, stop: Stop = NEVER) -> Image:
        return self._encoded.decode(at_least, stop)

    @cached_property
    def _encoded(self) -> EncodedImage:
        # Not at the top: a plain install has no decoder.
        from hiseg.images.encoded import inspect
        from hiseg.images.limits import UNLIMITED

        return inspect(self._photo, UNLIMITED)  # who made the masks has checked it


def to_core(result: Result) -> core.Result:
    """Return a result of the client as the service has it."""
    instances = tuple(core.Instance(Box(*each.box), each.crop, each.score, each.found) for each in result.found)
    return core.Result(
        result.width,
        result.height,
        result.notes,
        () if result.foreground else instances,
        instances[0] if result.foreground else None,
        result.model,
        round_timings({stage: result.timings_ms[stage] for stage in STAGES if stage in result.timings_ms}),
        None if result.foreground_source is None else core.ForegroundSource(result.foreground_source),
        finder=result.finder,
    )


def _black_and_white(mask: core.CropMask, result: core.Result, kind: PictureType) -> bytes:
    """A picture as large as the image: white where the person is, black elsewhere."""
    drawn = np.zeros((result.height, result.width), np.uint8)
    drawn[mask.region][mask.pixels] = 255
    return encode_picture(drawn, kind)
