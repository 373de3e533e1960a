"""Engines run a model on a batch. They know tensors, and nothing of encoded images, callers or transports."""
