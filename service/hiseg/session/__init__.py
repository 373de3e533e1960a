"""Masks in the caller's own process: the model, the batcher and the worker threads of the service, and no transport."""
