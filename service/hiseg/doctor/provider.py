"""Is there one ONNX Runtime, and does the embedded engine use what this machine has: its GPU and its cores?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from hiseg.core.extras import CPU, GPU, RUNTIME, broken_runtime, install_command, installed_runtimes, pip
from hiseg.doctor.finding import Finding, ok, warning, wrong
from hiseg.engines.cores import available_cores
from hiseg.settings import Settings

GPU_DEVICE = Path("/dev/nvidia0")
"""Device file of the first GPU."""
RUNTIME_CHECK = "runtime"
"""Name of the check that an ONNX Runtime is there."""


def check_runtimes(installed: Sequence[str] | None = None) -> Finding:
    """See that one package (of ``installed``, else of those that are) brings ONNX Runtime: two overwrite each other."""
    names = installed_runtimes() if installed is None else installed
    if len(names) > 1:
        extra = GPU if any(name.endswith(f"-{GPU}") for name in names) else CPU
        return warning(
            RUNTIME_CHECK,
            f"{' and '.join(names)} are installed together, and each has overwritten files of the other",
            f"Remove them ({pip()} uninstall --yes {' '.join(names)}), then install one: {install_command(extra)}",
        )
    spec = find_spec(RUNTIME)
    if spec is None or spec.origin is None:  # without an origin it is a folder in which files were left
        if names:
            return wrong(RUNTIME_CHECK, str(broken_runtime()), "Run that, then ask again.")
        return wrong(RUNTIME_CHECK, "there is no ONNX Runtime, and the embedded engine is one", install_command(CPU))
    return ok(RUNTIME_CHECK, names[0] if names else f"{RUNTIME}, which no package of Python's brought")


def check_provider(available: list[str] | None = None, gpu: Path = GPU_DEVICE) -> Finding:
    """Compare ONNX Runtime's providers (``available``, else those it was built with) with the GPU's device file."""
    fast = _fast(available)
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


def check_loaded(
    name: str, on_cpu: bool, available: list[str] | None = None, gpu: Path = GPU_DEVICE
) -> Iterator[Finding]:
    """See that a model, loaded with such providers as there are, didn't end up on the CPU beside a GPU.

    Args:
        name: name of the model.
        on_cpu: whether all of it runs on the CPU.
        available, gpu: as for :func:`check_provider`.
    """
    if on_cpu and gpu.exists() and (fast := _fast(available)):
        yield wrong(
            "provider",
            f"{name} runs on the CPU: {', '.join(fast)} can't be loaded here",
            "Install the CUDA and cuDNN that this ONNX Runtime was built for; when `hiseg serve` starts it says which.",
        )


def _fast(available: list[str] | None) -> list[str]:
    """Those of ONNX Runtime's providers that are used, and aren't the CPU's."""
    # Not at the top: who runs models on Triton alone needs no ONNX Runtime.
    from hiseg.engines.onnx import fast_providers

    return fast_providers(available)


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
