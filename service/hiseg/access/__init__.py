"""Who may send requests, and how many: API keys and their limits. Knows nothing of HTTP or gRPC."""
