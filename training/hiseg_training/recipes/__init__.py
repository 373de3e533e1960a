"""Recipes: files that say, run by run, how a model is made, and what makes it again from them."""
