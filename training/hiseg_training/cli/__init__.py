"""The commands that train, with the source document's flags."""
