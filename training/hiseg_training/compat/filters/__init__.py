"""Small graphs that even out masks, for clients that want them in ONNX; the service has its own."""
