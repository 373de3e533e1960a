"""The load generator behind ``hiseg bench``: sends mixes of requests to a running service, reports what came back."""
