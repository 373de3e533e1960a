"""Experimental: prepares TensorRT plans, which are built on the machine with the GPU. None was ever built or run."""
