"""Whether an ONNX file from anywhere can be served, and as what."""
