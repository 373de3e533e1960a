"""Exports checkpoints to ONNX, checks and measures them, and installs them into a model repository."""
