"""The network: coarse once per image, fine once per person."""
