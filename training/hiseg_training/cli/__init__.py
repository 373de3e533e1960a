"""The commands of ``hiseg-train``."""
