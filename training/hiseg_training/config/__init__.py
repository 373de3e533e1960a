"""Configuration of models and runs: validated records, the names of ready-made ones, and changes to single values."""
