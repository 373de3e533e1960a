"""Who may ask: API keys, and how much each of them may ask for. Knows nothing of HTTP or gRPC."""
