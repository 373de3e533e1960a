"""The Open Inference Protocol (KServe v2): for clients and gateways that speak it already."""
