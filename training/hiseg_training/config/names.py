"""Ready-made configurations and their names: those of the published models, such as ``lite-b0``, and upstream's.

A name of upstream's, long or short (``b1-80x60-enhanced``), is a grammar, not a key of a table: it says everything in
which its configuration differs from the others.
"""

from __future__ import annotations

import difflib
import re

from hiseg_training.compat import names as upstream
from hiseg_training.compat.names import NAMES, ROI_TO_MASK, DistillationName, InstanceName
from hiseg_training.config.model import ModelConfig
from hiseg_training.config.run import Configuration, Data, Distillation, Instances, Schedule
from hiseg_training.losses.instance import LossConfig

INSTANCE = re.compile(r"(?P<variant>b[017])(-(?P<height>\d+)x(?P<width>\d+))?(?P<enhanced>-enhanced)?")
DISTILLATION = re.compile(r"(?P<student>b[017])-from-(?P<teacher>b7)")
DEFAULT_ROI = (64, 48)
"""(height, width) of a short name's RoI if it says none."""
CLASS_WEIGHTS = (0.538, 0.750, 1.712)
"""Weights of background, target and other people: upstream's, from the shares of pixels in its training set."""


LITES: dict[str, tuple[ModelConfig, Instances]] = {
    "lite-b0": (
        ModelConfig(variant="b0", family="lite", pretrained=True, fine_widths=(128, 64, 40, 24)),
        Instances(early=((0.3, (96, 72)),)),
    ),
    "lite-b1": (
        ModelConfig(variant="b1", family="lite", pretrained=True, mask_size=(160, 120), fine_widths=(128, 64, 48, 32)),
        Instances(early=((0.2, (96, 72)), (0.5, (128, 96)))),
    ),
    "lite-b7": (
        ModelConfig(
            variant="b7",
            family="lite",
            pretrained=True,
            mask_size=(160, 120),
            fine_widths=(256, 128, 96, 64),
            fine_depth=2,
        ),
        Instances(early=((0.2, (96, 72)), (0.5, (128, 96)))),
    ),
}
"""Models with EfficientNet-Lite encoders that start from ImageNet weights, and the sizes of crops they learn from."""
FINDER = "lite-find"


class UnknownConfigurationError(ValueError):
    """No configuration has that name; the text lists names like it."""


def short(name: str) -> str:
    """The short name of a configuration with one of upstream's names.

    Raises:
        ValueError: it isn't one of upstream's.
    """
    parsed = upstream.parse_name(name)
    if parsed is None:
        raise ValueError(f"config: {name!r} is none of upstream's names")
    if isinstance(parsed, DistillationName):
        return f"{parsed.student}-from-{parsed.teacher}"
    size = "" if parsed.roi == DEFAULT_ROI else f"-{parsed.roi[0]}x{parsed.roi[1]}"
    return f"{parsed.variant}{size}{'-enhanced' if parsed.enhanced else ''}"


def configuration(name: str) -> Configuration:
    """The configuration with a name, in either spelling.

    Raises:
        UnknownConfigurationError: there is none.
    """
    if name in LITES:
        return _lite(name)
    if name == FINDER:
        return _finder()
    parsed = upstream.parse_name(name) or _parse_short(name)
    if parsed is None:
        known = [*LITES, FINDER, *map(short, NAMES), *NAMES]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or known[: len(LITES) + 1 + len(NAMES)]
        raise UnknownConfigurationError(f"config: no configuration is named {name!r}; there is {', '.join(near)}")
    return _distillation(parsed) if isinstance(parsed, DistillationName) else _instance(parsed)


def _lite(name: str) -> Configuration:
    """The configuration of a published model: its encoder learns more slowly than what starts from nothing."""
    model, instances = LITES[name]
    return Configuration(
        name=name,
        kind="instance",
        model=model,
        data=Data(paste=0.35, loose=0.5),
        schedule=Schedule(epochs=20, batch_size=24, learning_rate=1.5e-3, encoder_rate=0.3),
        instances=instances,
    )


def _finder() -> Configuration:
    """The configuration of the published finder."""
    return Configuration(
        name=FINDER,
        kind="find",
        model=ModelConfig(variant="b0", family="lite", pretrained=True, coarse_family="finder"),
        data=Data(scales=(0.5, 1.5), colour=0.7),
        schedule=Schedule(epochs=60, batch_size=16, learning_rate=1.5e-3, encoder_rate=0.4, warm_up=0.08, patience=0),
    )


def _parse_short(name: str) -> InstanceName | DistillationName | None:
    if match := DISTILLATION.fullmatch(name):
        return DistillationName(match["student"], match["teacher"])
    match = INSTANCE.fullmatch(name)
    if match is None:
        return None
    roi = (int(match["height"]), int(match["width"])) if match["height"] else DEFAULT_ROI
    return InstanceName(match["variant"], roi, bool(match["enhanced"])) if roi in ROI_TO_MASK else None


def _instance(name: InstanceName) -> Configuration:
    """The configuration of stage 3; ``enhanced`` is a wider decoder, for b7 a deeper one too, by upstream's factors."""
    width = (1.5 if name.variant == "b7" else 1.125) if name.enhanced else 1.0
    a, b, c, d = (round(base * width) for base in ModelConfig.fine_widths)
    model = ModelConfig(
        variant=name.variant,
        mask_size=ROI_TO_MASK[name.roi],
        fine_widths=(a, b, c, d),
        fine_depth=2 if name.enhanced and name.variant == "b7" else 1,
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
    return Configuration(name=str(name), kind="instance", model=model, loss=loss)


def _distillation(name: DistillationName) -> Configuration:
    return Configuration(
        name=str(name),
        kind="distillation",
        model=ModelConfig(variant=name.student, coarse_boxes=True),
        schedule=Schedule(epochs=50),
        distillation=Distillation(teacher=name.teacher),
    )
