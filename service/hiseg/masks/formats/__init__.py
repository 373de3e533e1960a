"""How a finished mask is written: one module for each format."""
