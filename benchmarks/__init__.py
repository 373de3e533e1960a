"""Measurements of speed and quality. They compare and report; nothing here passes or fails."""
