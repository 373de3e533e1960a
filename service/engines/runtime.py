"""ONNX Runtime, told before it is loaded to report to nobody.

From 1.29 on its Linux builds collect what they run, names and hashes of models among it, in a data base in the home
folder, and send it to their makers, unless this variable is there when it is loaded; a call afterwards comes too late.
Whoever wants it otherwise sets the variable himself. The service has ONNX Runtime from here alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]
