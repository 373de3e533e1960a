"""What the settings about engines can say."""

from __future__ import annotations

from enum import StrEnum

EMBEDDED = "onnx"
"""Value of the setting ``engine`` for the embedded engine."""


class Fallback(StrEnum):
    """What runs the models while no Triton server answers."""

    OFF = "off"
    """Nothing: requests get 503."""
    ONNX = "onnx"
    """The embedded engine."""


class Int8(StrEnum):
    """Whether the embedded engine runs a version's file in INT8."""

    AUTO = "auto"
    """Where the processor has instructions for it."""
    ALWAYS = "always"
    """Wherever a version has such a file."""
    NEVER = "never"
    """Nowhere: every machine runs ``model.onnx``."""
