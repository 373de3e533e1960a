"""Which graph answers a request: the one that computes what is asked for, and as little else as there is."""

from __future__ import annotations

from collections.abc import Mapping

from hiseg.core.errors import InvalidRequest, shorten
from hiseg.core.job import Mode
from hiseg.core.model_choice import finder_model, foreground_model
from hiseg.core.result import ModelRef
from hiseg.engines.base import Outputs


def choose_graph(
    models: Mapping[ModelRef, Outputs], asked: ModelRef, mode: Mode, has_boxes: bool
) -> tuple[ModelRef, Outputs]:
    """The model that answers a request, and which of its outputs the answer is made of.

    With boxes everybody's mask is the union of the masks of the boxes: it is better than the foreground of the image,
    which knows nothing of them. The foreground is that of the finder where there is one.

    Args:
        models: the models that there are, and what they compute.
        asked: the one of them that the request asks for.
        mode: what the request asks for.
        has_boxes: whether it has any boxes, be they outside of the image.

    Raises:
        InvalidRequest: the model gives no masks, and masks are asked for; or no model gives the foreground.
    """
    outputs = models[asked]
    if Outputs.MASKS in outputs and (has_boxes or mode is Mode.INSTANCE):
        return asked, Outputs.MASKS
    if mode is Mode.INSTANCE:
        raise InvalidRequest(
            f"model {shorten(asked.name)!r} gives no mask for a box, but the foreground of an image, with mode=binary; "
            f"masks give {_names(models, Outputs.MASKS)}",
            field="model",
            value=asked.name,
        )
    if Outputs.FOREGROUND in outputs:
        return asked, Outputs.FOREGROUND
    finder = finder_model(model for model, computes in models.items() if Outputs.BOXES in computes)
    found = finder or foreground_model(model for model, computes in models.items() if computes == Outputs.FOREGROUND)
    if found is None:
        raise InvalidRequest(
            f"there are no boxes, and model {shorten(asked.name)!r} needs them: it gives masks alone, and no model "
            f"without masks is served that gives the foreground of an image; the foreground gives "
            f"{_names(models, Outputs.FOREGROUND)}",
            field="boxes",
            value=asked.name,
        )
    return found, Outputs.FOREGROUND


def _names(models: Mapping[ModelRef, Outputs], output: Outputs) -> str:
    names = sorted(shorten(model.name) for model, computes in models.items() if output in computes)
    return ", ".join(names) or "none"
