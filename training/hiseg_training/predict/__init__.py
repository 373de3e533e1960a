"""Draws what an exported model says about photos, and how long it takes."""
