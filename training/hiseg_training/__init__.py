"""Everything torch: reads the data, builds and trains the models, exports and publishes them."""

import os

# As in :mod:`hiseg.engines.onnx`, for what loads ONNX Runtime here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
