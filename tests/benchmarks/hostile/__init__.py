"""Tests of the attacks themselves."""
