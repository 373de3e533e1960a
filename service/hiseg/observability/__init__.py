"""Logs, metrics and traces: how an operator sees what the service does."""
