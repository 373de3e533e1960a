"""What a run is, in numbers: records, the names that stand for them, and single values changed by hand."""
