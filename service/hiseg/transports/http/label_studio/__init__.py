"""A machine learning backend for Label Studio: rectangles in, brush masks out."""
