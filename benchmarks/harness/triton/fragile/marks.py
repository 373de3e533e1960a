"""Values of an image's first byte for which the fragile model behaves in a special way, and its error message."""

DEADLY, SLOW, REFUSED = 66, 67, 68
"""Its process ends; it takes a second, unless its caller leaves; the batch fails."""
CANCELLED = "its caller has left"
"""Stands in the server's log then."""
