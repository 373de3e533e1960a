"""Runs models on batches of photos, from checkpoints and exported files alike, and draws their masks."""
