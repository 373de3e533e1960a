"""All kinds of attacks, by name."""

from __future__ import annotations

from benchmarks.hostile import callers, calls, connections, documents, masks, pictures, stopping
from benchmarks.hostile.kind import Kind

GROUPS: dict[str, tuple[Kind, ...]] = {
    "HTTP connections": connections.KINDS,
    "Images": pictures.KINDS,
    "Masks, and work past its deadline": masks.KINDS,
    "JSON": documents.KINDS,
    "gRPC": calls.KINDS,
    "Callers and keys": callers.KINDS,
    "SIGTERM": stopping.KINDS,
}
KINDS: dict[str, Kind] = {kind.name: kind for group in GROUPS.values() for kind in group}
