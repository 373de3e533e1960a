"""A real Triton on this machine, model repositories for it, and proxies in front of it."""
