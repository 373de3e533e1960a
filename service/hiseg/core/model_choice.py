"""Which model a request gets: by name, by variant, or by default.

Whoever chooses a model asks here, so that the service, its commands and the doctor choose the same one, whatever the
order in which models were found. Several models may share a variant, say the published ``hiseg_b0`` and an own
``hiseg_tiny`` that is a B0 too. Then the one called ``hiseg_VARIANT`` answers for the variant, or the first by name if
none is called so. The others are asked for by their names.

Models that give no masks, but the foreground alone or the people in an image, answer for no variant. They too are asked
for by name, or found by :func:`foreground_model` and :func:`finder_model`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hiseg.core.errors import InvalidRequest, shorten
from hiseg.core.result import ModelRef

PUBLISHED = "hiseg_"
"""How the names of published models begin; the variant follows."""
PUBLISHED_FOREGROUND = "hiseg_foreground"
"""Name of the published model that gives the foreground alone."""
PUBLISHED_FINDER = "hiseg_find"
"""Name of the published model that finds the people in an image."""
WITH_VERSION = re.compile(r"(.+)[/:@][^/:@]*")
"""A name with a version after it, as other servers and registries write it."""


def model_of_variant(models: Iterable[ModelRef], variant: str) -> ModelRef | None:
    """The model that answers for a variant: ``hiseg_VARIANT``, or the first by name if none is called so; None: none
    is of that variant."""
    of_variant = [model for model in models if model.variant == variant]
    return min(of_variant, key=lambda model: (model.name != PUBLISHED + variant, model.name), default=None)


def models_of_variants(models: Iterable[ModelRef]) -> dict[str, ModelRef]:
    """The model that answers for each variant that there is; the variants are in order."""
    there = list(models)
    answering = {variant: model_of_variant(there, variant) for variant in sorted({model.variant for model in there})}
    return {variant: model for variant, model in answering.items() if model}


def foreground_model(models: Iterable[ModelRef]) -> ModelRef | None:
    """Of the models that give the foreground alone the one that answers who names none: the published one, or the
    first by name; None: there is none."""
    return min(models, key=lambda model: (model.name != PUBLISHED_FOREGROUND, model.name), default=None)


def finder_model(models: Iterable[ModelRef]) -> ModelRef | None:
    """Of the models that find people the one that does it for every request: the published one, or the first by name;
    None: there is none."""
    return min(models, key=lambda model: (model.name != PUBLISHED_FINDER, model.name), default=None)


def default_model(models: Sequence[ModelRef], default: str) -> ModelRef | None:
    """The model that answers who names none: that of the default variant; None: it isn't there.

    Args:
        models: the models that there are.
        default: the setting ``default_variant``: a variant, or the name of a model where no variant is called so.
    """
    named = (model for model in models if model.name == default)
    return model_of_variant(models, default) or next(named, None)


def choose_model(
    models: Sequence[ModelRef],
    model: str | None,
    variant: str | None,
    default: str,
    without_masks: Sequence[ModelRef] = (),
) -> ModelRef:
    """The model that a request asks for.

    Args:
        models: the models that give masks, in any order.
        model: the name that the request asks for; None: any.
        variant: the variant that it asks for; None: any.
        default: the setting ``default_variant``, for requests that ask for neither; see :func:`default_model`.
        without_masks: the models that give none, which can be asked for by name alone.

    Raises:
        InvalidRequest: there is no such model or variant, or the model is of another variant.
    """
    if model is not None:
        there = [*models, *without_masks]
        named = next((each for each in there if each.name == model), None)
        if named is None:
            raise _no_model(there, model)
        if variant is not None and named.variant != variant:
            raise InvalidRequest(
                f"model {shorten(model)!r} is of variant {named.variant!r}, and variant says {shorten(variant)!r}; "
                "one of the two is enough",
                field="variant",
                limit=named.variant,
                value=variant,
            )
        return named
    found = default_model(models, default) if variant is None else model_of_variant(models, variant)
    if found is None:
        raise _no_variant(models, default if variant is None else variant, without_masks)
    return found


def shared_variants(models: Sequence[ModelRef]) -> list[str]:
    """One sentence about each variant that several models share: which of them answers for it, and how to get the
    others."""
    sentences = []
    for variant, answering in models_of_variants(models).items():
        others = sorted(model.name for model in models if model.variant == variant and model.name != answering.name)
        if others:
            why = "" if answering.name == PUBLISHED + variant else ", as the first by name"
            sentences.append(
                f"{', '.join(sorted([answering.name, *others]))} are of one variant, {variant}: {answering.name} "
                f"answers for it{why}; ask for the rest by name, as model={others[0]}"
            )
    return sentences


def _no_model(models: Sequence[ModelRef], model: str) -> InvalidRequest:
    names = sorted(each.name for each in models)
    hint = ""
    with_version = WITH_VERSION.fullmatch(model)
    if any(each.variant == model for each in models):
        hint = f"it is a variant, so write variant={shorten(model)}; "
    elif with_version and with_version[1] in names:
        name = shorten(with_version[1])
        hint = f"a version can't be asked for, the newest that passed its test answers, so write model={name}; "
    return InvalidRequest(
        f"model {shorten(model)!r} is not served; {hint}there is {', '.join(map(shorten, names))}",
        field="model",
        limit=names,
        value=model,
    )


def _no_variant(models: Sequence[ModelRef], variant: str, without_masks: Sequence[ModelRef]) -> InvalidRequest:
    known = list(models_of_variants(models))
    hint = ""
    if foreground := foreground_model(each for each in without_masks if each.variant == variant):
        hint = f"{foreground.name} is of it and gives no masks, so write model={shorten(foreground.name)}; "
    if any(each.name == variant for each in (*models, *without_masks)):
        hint = f"it is the name of a model, so write model={shorten(variant)}; "
    return InvalidRequest(
        f"variant {shorten(variant)!r} is not served; {hint}there is {', '.join(known) or 'none'}",
        field="variant",
        limit=known,
        value=variant,
    )
