"""Training for hiseg: reads the data, builds and trains the PyTorch models, measures, exports and publishes them."""

import os

# Keep ONNX Runtime's telemetry off, as :mod:`hiseg.engines.onnx` does; it must be set before the library is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
