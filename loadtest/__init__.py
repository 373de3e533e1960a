"""Loads a running service and says whether it bears that: locust, an hour's soak, and the comparison with peers."""
