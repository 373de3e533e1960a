"""Attacks on a running service, and what a well-behaved caller notices of them: ``python -m benchmarks.hostile``.

Everything goes to a service that the benchmark starts itself, on loopback. The attacks are examples of kinds: an attack
that a limit stops only in the form that is written here isn't stopped.
"""
