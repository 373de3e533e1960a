"""The doctor notices a GPU that is not used, and one that is configured but missing."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from hiseg.core.extras import install_command
from hiseg.doctor import provider
from hiseg.doctor.finding import Level
from hiseg.doctor.provider import check_loaded, check_provider, check_runtimes, check_threads
from hiseg.engines.onnx import TENSORRT
from hiseg.settings import Settings

CPU, CUDA = ["CPUExecutionProvider"], ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("available", "device", "level"),
    [(CPU, False, Level.OK), (CPU, True, Level.WARNING), (CUDA, True, Level.OK), (CUDA, False, Level.WARNING)],
)
def test_a_gpu_without_its_provider_is_reported(
    tmp_path: Path, available: list[str], device: bool, level: Level
) -> None:
    """An empty file stands for the device of a GPU, which isn't here."""
    gpu = tmp_path / "nvidia0"
    if device:
        gpu.touch()
    assert check_provider(available, gpu).level is level


@pytest.mark.parametrize(
    ("on_cpu", "available", "device", "is_wrong"),
    [(True, CUDA, True, True), (False, CUDA, True, False), (True, CPU, True, False), (True, CUDA, False, False)],
)
def test_a_model_that_ends_up_beside_the_gpu_is_named(
    tmp_path: Path, on_cpu: bool, available: list[str], device: bool, is_wrong: bool
) -> None:
    gpu = tmp_path / "nvidia0"
    if device:
        gpu.touch()
    found = list(check_loaded("hiseg_b0", on_cpu, available, gpu))
    assert [finding.level for finding in found] == [Level.WRONG] * is_wrong
    assert all("hiseg_b0 runs on the CPU: CUDAExecutionProvider can't be loaded" in each.found for each in found)


def test_tensorrt_is_not_used() -> None:
    """A build with it and nothing else that is faster than the CPU runs there."""
    built_in = [TENSORRT, "CPUExecutionProvider"]
    assert check_provider(built_in, Path("/nowhere")).level is Level.OK


def test_one_runtime_is_well_and_two_are_named_with_what_to_do() -> None:
    assert check_runtimes().level is Level.OK
    assert check_runtimes([]).level is Level.OK, "a module that no package brought"
    two = check_runtimes(["onnxruntime", "onnxruntime-gpu"])
    assert (two.check, two.level) == ("runtime", Level.WARNING)
    assert two.found.startswith("onnxruntime and onnxruntime-gpu are installed together")
    assert "uninstall --yes onnxruntime onnxruntime-gpu" in two.mend
    assert two.mend.endswith(install_command("gpu"))
    assert check_runtimes(["onnxruntime", "onnxruntime-openvino"]).mend.endswith(install_command("cpu"))


def test_no_runtime_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "find_spec", lambda name: None)
    none = check_runtimes([])
    assert (none.level, none.mend) == (Level.WRONG, install_command("cpu"))
    monkeypatch.setattr(provider, "find_spec", lambda name: ModuleSpec(name, None))
    assert check_runtimes([]) == none
    broken = check_runtimes(["onnxruntime"])
    assert broken.level is Level.WRONG
    assert "install --force-reinstall --no-deps onnxruntime" in broken.found


@pytest.mark.parametrize(("asked", "level"), [(0, Level.OK), (2, Level.OK), (4, Level.WARNING)])
def test_more_threads_than_cores_are_reported(asked: int, level: Level) -> None:
    assert check_threads(Settings(threads=asked), cores=2).level is level
