"""Upstream's spellings: the sixteen names of its configurations, and flags with underscores.

The names are data: configurations carry them, and the folders of runs are named after them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hiseg_training.config.model import MASK_TO_ROI, Size

PREFIX = "rgb_hierarchical_unet_v2"
INSTANCE = re.compile(
    PREFIX + r"_fullimage_pretrained_peopleseg_r(?P<roi>\d+x\d+)m(?P<mask>\d+x\d+)"
    r"_disttrans_contdet_baware_from_(?P<variant>B[017])(?P<enhanced>_enhanced)?"
)
DISTILLATION = re.compile(PREFIX + r"_distillation_(?P<student>b[017])_from_(?P<teacher>b7)_temp_prog")
ROI_TO_MASK = {roi: mask for mask, roi in MASK_TO_ROI.items()}
SMALL, MIDDLE, LARGE = ROI_TO_MASK

BOTH_SPELLINGS = {"token_normalize_func": lambda token: token.replace("_", "-")}
"""Typer's context settings that make ``--train_ann``, upstream's spelling of a flag, the same as ``--train-ann``."""


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


class InstanceName(NamedTuple):
    """The parts of the name of a configuration of stage 3; as text it is upstream's name.

    Attributes:
        variant: ``b0``, ``b1`` or ``b7``.
        roi: (height, width) of the RoI.
        enhanced: whether the decoder is enlarged.
    """

    variant: str
    roi: Size
    enhanced: bool

    def __str__(self) -> str:
        sizes = f"r{_text(self.roi)}m{_text(ROI_TO_MASK[self.roi])}"
        return (
            f"{PREFIX}_fullimage_pretrained_peopleseg_{sizes}_disttrans_contdet_baware_from_{self.variant.upper()}"
            f"{'_enhanced' if self.enhanced else ''}"
        )


class DistillationName(NamedTuple):
    """The parts of the name of a configuration of stage 2; as text it is upstream's name.

    Attributes:
        student: variant of the student.
        teacher: variant of the teacher.
    """

    student: str
    teacher: str

    def __str__(self) -> str:
        return f"{PREFIX}_distillation_{self.student}_from_{self.teacher}_temp_prog"


NAMES = (
    *(str(DistillationName(student, "b7")) for student in ("b0", "b1", "b7")),
    *(str(InstanceName(variant, roi, False)) for variant in ("b0", "b1", "b7") for roi in (SMALL, MIDDLE)),
    *(str(InstanceName(variant, roi, True)) for variant in ("b0", "b1", "b7") for roi in (SMALL, MIDDLE)),
    str(InstanceName("b7", LARGE, True)),
)
"""All of upstream's names."""


def parse_name(name: str) -> InstanceName | DistillationName | None:
    """The parts of one of upstream's names; None for any other text."""
    if match := DISTILLATION.fullmatch(name):
        return DistillationName(match["student"], match["teacher"])
    match = INSTANCE.fullmatch(name)
    if match is None:
        return None
    for roi, mask in ROI_TO_MASK.items():
        if (_text(roi), _text(mask)) == (match["roi"], match["mask"]):
            return InstanceName(match["variant"].lower(), roi, bool(match["enhanced"]))
    return None
