"""What stands between jobs and the engine: who is let in, who runs when, and with whom."""
