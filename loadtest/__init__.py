"""Load tests of a running service: locust with pass marks, a step load, and a soak test of an hour."""
