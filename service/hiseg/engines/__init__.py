"""What runs a model on a batch. Engines know tensors and nothing of images, callers or transports."""
