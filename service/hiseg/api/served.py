"""Which models callers may ask for, and which of them answers for a variant: the same on every transport."""

from __future__ import annotations

from typing import TypedDict

from hiseg.core.model_choice import default_model, foreground_model, models_of_variants
from hiseg.segmenter import Segmenter


class Served(TypedDict):
    """The models that can be asked for, as ``/v1/info`` says it.

    Attributes:
        models: their names.
        variants: the variants of those that give masks, each once.
        model_of_variant: name of the model that answers for each variant.
        precision_of_model: precision of each model's weights, "fp32", "fp16" or "int8"; empty if that isn't known.
        default_model: name of the model that answers who asks for none; empty while the service starts.
        default_variant: its variant; while the service starts, the setting.
        foreground_model: name of the model that gives the foreground of an image where the one that is asked for gives
            masks alone; empty if there is none.
        finder_model: name of the model that finds the people in an image; empty if there is none.
    """

    models: list[str]
    variants: list[str]
    model_of_variant: dict[str, str]
    precision_of_model: dict[str, str]
    default_model: str
    default_variant: str
    foreground_model: str
    finder_model: str


def models_served(segmenter: Segmenter, default_variant: str) -> Served:
    """Say which models can be asked for at this moment.

    Args:
        segmenter: has the models.
        default_variant: the setting, which may name a model.
    """
    models, finder = segmenter.mask_models, segmenter.finder
    foreground = finder or foreground_model(segmenter.other_models)
    default, answering = default_model(models, default_variant), models_of_variants(models)
    return {
        "models": sorted(info.ref.name for info in segmenter.models),
        "variants": list(answering),
        "model_of_variant": {variant: model.name for variant, model in answering.items()},
        "precision_of_model": {info.ref.name: info.ref.precision for info in segmenter.models},
        "default_model": default.name if default else "",
        "default_variant": default.variant if default else default_variant,
        "foreground_model": foreground.name if foreground else "",
        "finder_model": finder.name if finder else "",
    }
