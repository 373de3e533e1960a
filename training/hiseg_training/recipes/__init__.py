"""Recipes: files that list the training runs of a model step by step, and the code that runs them."""
