"""The training loop that all stages share: Lightning's, with our draws, average of weights and files."""
