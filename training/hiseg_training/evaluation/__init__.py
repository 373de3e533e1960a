"""Measures models: IoU, boundary IoU, AP and speed-independent cost, in figures, tables and images."""
