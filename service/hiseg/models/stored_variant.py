"""What a stored model is, its variant and what its graph computes, found out without opening it.

A service opens every model once; a program that needs one of them would wait for the others.
"""

from __future__ import annotations

from hiseg.core.result import ModelRef
from hiseg.engines.base import Outputs
from hiseg.engines.contract import outputs_of, variant_of_name
from hiseg.engines.onnx_file import skim_signature
from hiseg.models.repository import StoredModel


def stored_ref(model: StoredModel) -> ModelRef:
    """What the embedded engine calls a model, with the variant that its file says it is."""
    return ModelRef(model.name, model.version, stored_variant(model), "onnx")


def stored_variant(model: StoredModel) -> str:
    """The variant that a file says it is, or else the one in its name, also where the file can't be read."""
    try:
        metadata = skim_signature(model.path).metadata
    except (OSError, ValueError):
        metadata = {}  # opening it says what is wrong
    return metadata.get("variant", variant_of_name(model.name))


def stored_outputs(model: StoredModel) -> Outputs:
    """What the graph of a file computes; masks, as if it were like most, where that can't be read."""
    try:
        return outputs_of(skim_signature(model.path).outputs) or Outputs.MASKS
    except (OSError, ValueError):
        return Outputs.MASKS  # opening it says what is wrong
