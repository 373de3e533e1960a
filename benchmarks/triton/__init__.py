"""The real Triton of the tests, measured from both sides."""
