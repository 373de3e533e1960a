"""From a checkpoint to a model that a service can load."""
