"""A model's life in the service: found in the repository, loaded, tested, reloaded, inspected."""
