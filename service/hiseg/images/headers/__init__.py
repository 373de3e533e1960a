"""Reads what stands before the pixels of a file, in a bounded number of steps and without unpacking anything."""
