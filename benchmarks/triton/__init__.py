"""Measures hiseg with a real Triton, and that Triton alone."""
