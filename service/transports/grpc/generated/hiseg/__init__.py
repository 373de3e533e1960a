"""The stubs of ``hiseg.*``."""
