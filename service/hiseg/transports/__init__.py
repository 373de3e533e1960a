"""Bytes in, bytes out: each transport turns its requests into jobs and results into its answers."""
