"""The stages of a request that run in threads: an image is prepared for a model, people are found, masks drawn."""
