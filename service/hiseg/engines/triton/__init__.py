"""Models on Triton servers: one engine for each model, over all servers that run it.

Only :mod:`hiseg.engines.triton.address` is imported without Triton's client; all other modules need the extra
``triton``, and are imported when the setting ``engine`` names Triton.
"""
