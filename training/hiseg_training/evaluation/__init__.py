"""How good a model is, in figures, tables and pictures."""
