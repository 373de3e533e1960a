"""HTTP: FastAPI routes around the segmenter."""
