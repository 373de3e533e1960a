"""People cut out of their photos once, and the augmented samples of a given size that are made of those crops."""
