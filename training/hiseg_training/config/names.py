"""The document's sixteen names, and short ones, as a grammar: a name says everything that differs."""

from __future__ import annotations

import difflib
import re

from hiseg_training.config.model import MASK_TO_ROI, ModelConfig, Size
from hiseg_training.config.run import Configuration, Distillation, Schedule
from hiseg_training.losses.instance import LossConfig

PREFIX = "rgb_hierarchical_unet_v2"
INSTANCE = re.compile(
    PREFIX + r"_fullimage_pretrained_peopleseg_r(?P<roi>\d+x\d+)m(?P<mask>\d+x\d+)"
    r"_disttrans_contdet_baware_from_(?P<variant>B[017])(?P<enhanced>_enhanced)?"
)
DISTILLATION = re.compile(PREFIX + r"_distillation_(?P<student>b[017])_from_(?P<teacher>b7)_temp_prog")
SHORT_INSTANCE = re.compile(r"(?P<variant>b[017])(-(?P<roi>\d+x\d+))?(?P<enhanced>-enhanced)?")
SHORT_DISTILLATION = re.compile(r"(?P<student>b[017])-from-(?P<teacher>b7)")

ROI_TO_MASK = {roi: mask for mask, roi in MASK_TO_ROI.items()}
SMALL, MIDDLE, LARGE = ROI_TO_MASK
CLASS_WEIGHTS = (0.538, 0.750, 1.712)
"""The document's, from the shares of pixels in its training set."""


class UnknownConfigurationError(ValueError):
    """No configuration has that name; the text lists names like it."""


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def instance_name(variant: str, roi: Size, enhanced: bool) -> str:
    """The document's name of an instance configuration."""
    sizes = f"r{_size(roi)}m{_size(ROI_TO_MASK[roi])}"
    return (
        f"{PREFIX}_fullimage_pretrained_peopleseg_{sizes}_disttrans_contdet_baware_from_{variant.upper()}"
        f"{'_enhanced' if enhanced else ''}"
    )


def distillation_name(student: str, teacher: str) -> str:
    """The document's name of a distillation configuration."""
    return f"{PREFIX}_distillation_{student}_from_{teacher}_temp_prog"


NAMES = (
    *(distillation_name(student, "b7") for student in ("b0", "b1", "b7")),
    *(instance_name(variant, roi, False) for variant in ("b0", "b1", "b7") for roi in (SMALL, MIDDLE)),
    *(instance_name(variant, roi, True) for variant in ("b0", "b1", "b7") for roi in (SMALL, MIDDLE)),
    instance_name("b7", LARGE, True),
)


def short(name: str) -> str:
    """The alias of one of the document's names."""
    if match := DISTILLATION.fullmatch(name):
        return f"{match['student']}-from-{match['teacher']}"
    match = INSTANCE.fullmatch(name)
    assert match is not None
    size = "" if match["roi"] == _size(SMALL) else f"-{match['roi']}"
    return f"{match['variant'].lower()}{size}{'-enhanced' if match['enhanced'] else ''}"


def configuration(name: str) -> Configuration:
    """The configuration of a name or an alias.

    Raises:
        UnknownConfigurationError: there is none.
    """
    if match := DISTILLATION.fullmatch(name) or SHORT_DISTILLATION.fullmatch(name):
        return _distillation(match["student"], match["teacher"])
    match = INSTANCE.fullmatch(name) or SHORT_INSTANCE.fullmatch(name)
    roi = next((roi for roi in ROI_TO_MASK if _size(roi) == (match["roi"] or _size(SMALL))), None) if match else None
    if (
        match is None
        or roi is None
        or match.groupdict().get("mask", _size(ROI_TO_MASK[roi])) != _size(ROI_TO_MASK[roi])
    ):
        known = [*map(short, NAMES), *NAMES]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or known[: len(NAMES)]
        raise UnknownConfigurationError(f"config: no configuration is named {name!r}; there is {', '.join(near)}")
    return _instance(match["variant"].lower(), roi, bool(match["enhanced"]))


def _instance(variant: str, roi: Size, enhanced: bool) -> Configuration:
    """A wider decoder where the name says enhanced, for b7 a deeper one too; by the document's factors."""
    width = (1.5 if variant == "b7" else 1.125) if enhanced else 1.0
    a, b, c, d = (round(base * width) for base in ModelConfig.fine_widths)
    model = ModelConfig(
        variant=variant,
        mask_size=ROI_TO_MASK[roi],
        fine_widths=(a, b, c, d),
        fine_depth=2 if enhanced and variant == "b7" else 1,
        coarse_boxes=True,
        hierarchical=True,
        contour=True,
        distance=True,
    )
    loss = LossConfig(
        class_weights=CLASS_WEIGHTS,
        boundary=1.0,
        separation=1.0,
        contour=0.1,
        distance=0.1,
        foreground=0.5,
        identity=0.5,
    )
    return Configuration(name=instance_name(variant, roi, enhanced), kind="instance", model=model, loss=loss)


def _distillation(student: str, teacher: str) -> Configuration:
    return Configuration(
        name=distillation_name(student, teacher),
        kind="distillation",
        model=ModelConfig(variant=student, coarse_boxes=True),
        schedule=Schedule(epochs=50),
        distillation=Distillation(teacher=teacher),
    )
