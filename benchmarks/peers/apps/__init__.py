"""One file per server, written as the server's documentation shows; each runs in an environment of its own."""
