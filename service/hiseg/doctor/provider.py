"""Does the embedded engine use what this machine has: its GPU and its cores?"""

from __future__ import annotations

from pathlib import Path

from hiseg.doctor.finding import Finding, ok, warning
from hiseg.engines.cores import available_cores
from hiseg.engines.onnx import PROVIDERS_FOR_ANY_SHAPE, ort
from hiseg.settings import Settings

GPU = Path("/dev/nvidia0")
"""Device file of the first GPU."""


def check_provider(available: list[str] | None = None, gpu: Path = GPU) -> Finding:
    """Compare ONNX Runtime's providers (``available``, else those it was built with) with the GPU's device file."""
    fast = [name for name in available or ort.get_available_providers() if name not in PROVIDERS_FOR_ANY_SHAPE]
    if gpu.exists() and not fast:
        return warning(
            "provider",
            f"there is a GPU ({gpu}), and this ONNX Runtime can't use it",
            "Put onnxruntime-gpu in the place of onnxruntime (the extra `gpu`), or serve from Triton.",
        )
    if fast and not gpu.exists():
        return warning(
            "provider",
            f"ONNX Runtime was built for {', '.join(fast)}, and there is no GPU ({gpu}) here: it runs on the CPU",
            "In a container, pass the GPU in (`--gpus all`).",
        )
    return ok("provider", f"ONNX Runtime runs on {', '.join(fast) if fast else 'the CPU; there is no GPU here'}")


def check_threads(settings: Settings, cores: int | None = None) -> Finding:
    """Compare the engine's threads with the cores that this process may use (``cores``, else the system's answer)."""
    cores = cores or available_cores()
    if settings.threads > cores:
        return warning(
            "threads",
            f"threads is {settings.threads}, and this process may use {cores} cores; more threads are slower",
            "Set threads to 0, which takes the cores there are.",
        )
    return ok("threads", f"{settings.threads or cores} for one operator, on {cores} cores")
