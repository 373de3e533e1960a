"""A real Triton on this machine, model repositories for it, and proxies to stand before it."""
