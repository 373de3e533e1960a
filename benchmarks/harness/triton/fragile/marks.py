"""First byte of a picture that the fragile model treats in its own way, and what it says."""

DEADLY, SLOW, REFUSED = 66, 67, 68
"""Its process ends; it takes a second, unless its caller leaves; the batch fails."""
CANCELLED = "its caller has left"
"""Stands in the server's log then."""
