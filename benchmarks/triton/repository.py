"""The measured model repositories: a model, and the same model with masks as its only output.

``perf_analyzer`` requests every output that a model has, hiseg only those that are needed. The second model lets both
do the same work.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks.harness.repository import REPOSITORY
from hiseg.engines.base import Cost

B0 = "hiseg_b0"
OTHERS = re.compile(r'\s*\{ name: "(masks|binary_masks)"[^}]*\},')
MASKS_ONLY = "masks_only"
VARIANT = 'parameters { key: "variant" value { string_value: "b0" } }'


def lay_out(repository: Path, cost: Cost | None = None) -> None:
    """Fill an empty folder with ``hiseg_b0`` and ``masks_only``, configured as B0 is published, on the CPU.

    Args:
        repository: the folder.
        cost: of a model that only takes time; B0 itself without.
    """
    config = (REPOSITORY / B0 / "configs" / "cpu.pbtxt").read_text()
    if cost:
        config = config.replace('backend: "onnxruntime"', 'backend: "python"')
        for key, value in (("batch_ms", cost.constant), ("person_ms", cost.roi)):
            config += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    alone = OTHERS.sub("", config).replace(f'name: "{B0}"', f'name: "{MASKS_ONLY}"').replace(VARIANT, "")
    for name, text in ((B0, config), (MASKS_ONLY, alone)):
        (repository / name).mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(text)
        content = Path(__file__).with_name("gpu_like") if cost else REPOSITORY / B0 / "1"
        shutil.copytree(content, repository / name / "1", ignore=shutil.ignore_patterns("__pycache__"))
