"""Compares hiseg with other model servers: the same model, the same work per request, the same load."""
