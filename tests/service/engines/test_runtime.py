"""Nobody hears from the embedded engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness.paths import ROOT
from benchmarks.harness.repository import B0
from tests.test_architecture import imports

LOAD = """
import sys
from pathlib import Path
from hiseg.engines.onnx import OnnxEngine
OnnxEngine(Path(sys.argv[1]), "hiseg_b0", "1")
"""


def test_a_loaded_model_leaves_no_trace_in_the_home_folder(tmp_path: Path) -> None:
    """What it would send it first keeps in ``~/.cache``; but not where CI is set, which must not be why."""
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    variables |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, B0],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_of_the_service_loads_it_otherwise() -> None:
    found = [path.name for path in (ROOT / "service").rglob("*.py") if "onnxruntime" in imports(path)]
    assert found == ["runtime.py"]
