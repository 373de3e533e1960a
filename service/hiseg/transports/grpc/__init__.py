"""gRPC: the same service as over HTTP, for callers who want streams, typed messages and deadlines."""
