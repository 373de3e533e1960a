"""Compressed answers for those who ask: gRPC itself would compress for everybody who could read it.

Requests may be compressed by gRPC's own means; but a server isn't told that, so answers need a word of their own.
"""

from __future__ import annotations

from typing import Any

from grpc import Compression
from grpc.aio import ServicerContext

ASKED_BY = "hiseg-compress"
"""Metadata of a call: "gzip" asks for compressed answers."""


async def answer_as_asked(context: ServicerContext[Any, Any]) -> None:
    """Compress the answers of a call if it asks for it; called before the first of them."""
    if (ASKED_BY, "gzip") in tuple(context.invocation_metadata() or ()):
        context.set_compression(Compression.Gzip)
        # A call with one answer forgets the line above unless this is sent apart from the answer.
        await context.send_initial_metadata(())
