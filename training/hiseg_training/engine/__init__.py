"""Training: the three stages as tasks, and the trainer that runs one of them, on one process or several."""
