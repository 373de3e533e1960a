"""The networks: a coarse stage that runs once per image, and a fine stage that runs once per person."""
