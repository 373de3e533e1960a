"""Models that run on Triton servers: one engine a model, over as many servers as there are.

Nothing here is imported unless the setting ``engine`` asks for Triton; it needs the extra ``triton``.
"""
