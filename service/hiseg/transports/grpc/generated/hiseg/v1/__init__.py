"""The stubs of ``hiseg.v1``."""
