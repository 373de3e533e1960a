"""What stands between jobs and the engine: who is let in, and who runs when."""
