"""The repository that is measured: the published B0, the GPU-like model, and each once more with masks alone.

``perf_analyzer`` asks for every output that a model has; hiseg asks only for those it needs. The second copies let both
do the same work.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.conftest import REPOSITORY

B0, GPU_LIKE = "hiseg_b0", "gpu_like_b0"
FOREGROUND = re.compile(r',\s*\{ name: "binary_masks"[^}]*\}')


def masks_only(model: str) -> str:
    """The name of a model's copy without foreground."""
    return f"{model}_masks"


def lay_out(repository: Path, instances: int = 1) -> None:
    """Fill an empty folder; the configurations are those that B0 is published with, on the CPU."""
    config = (REPOSITORY / B0 / "configs" / "cpu.pbtxt").read_text().replace("count: 1", f"count: {instances}")
    for model, own in ((B0, config), (GPU_LIKE, config.replace('"onnxruntime"', '"python"'))):
        for name, text in ((model, own), (masks_only(model), FOREGROUND.sub("", own))):
            (repository / name).mkdir(parents=True)
            (repository / name / "config.pbtxt").write_text(text.replace(f'name: "{B0}"', f'name: "{name}"'))
            if model == B0:
                shutil.copytree(REPOSITORY / B0 / "1", repository / name / "1")
            else:
                shutil.copytree(Path(__file__).with_name("gpu_like"), repository / name / "1")
