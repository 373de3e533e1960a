"""Whose trace a request belongs to: the caller's, if it says so the way W3C Trace Context does."""

from __future__ import annotations

import re

HEADER = "traceparent"
"""Of HTTP; the key of gRPC's metadata is the same."""
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def read_traceparent(text: str) -> str:
    """The header as it may be handed on; empty if it is no trace context, which the specification says to ignore."""
    return text if _FORM.fullmatch(text) else ""
