"""Models on Triton servers: one engine for each model, over all servers that run it.

The modules that talk to servers need Triton's client, from the extra ``triton``, and are imported only when the setting
``engine`` names Triton. The settings themselves import :mod:`hiseg.engines.triton.address`, which needs nothing.
"""
