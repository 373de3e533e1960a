"""ONNX Runtime, told before it is loaded to report to nobody.

From 1.29 on its Linux builds collect what they run, names and hashes of models among it, in a data base in the home
folder, and send it to their makers, unless this variable is there when it is loaded; a call afterwards comes too late.
Whoever wants it otherwise sets the variable himself. The service has ONNX Runtime from here alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["SHARED_MEMORY", "ort"]

SHARED_MEMORY = ("session.use_env_allocators", "1")
"""Entry of a session's configuration: it works in the memory that all sessions share.

Each has its own otherwise, and never gives back what its largest batch needed. Two sessions of B0 under mixed batches
of up to 6 images held 651 MiB so, and 891 MiB each on its own, as fast.
"""
ort.create_and_register_allocator(
    ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT),
    ort.OrtArenaCfg(0, -1, -1, -1),
)
