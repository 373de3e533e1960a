"""Stubs that ``protos/generate.py`` makes of ``protos/``; not to be edited."""
