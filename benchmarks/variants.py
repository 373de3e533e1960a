"""Exports B0, B1 and B7 in all three sizes with random weights and checks them: ``python -m benchmarks.variants``.

Each export is compared with PyTorch and inspected as by ``hiseg models check``. It is not part of the tests, because
exporting takes half a minute each, and minutes for B7.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from hiseg.models.inspect import inspect_model
from hiseg_training.config.model import MASK_TO_ROI, SCALING, ModelConfig
from hiseg_training.export.onnx import ExportOptions, export_onnx
from hiseg_training.export.write import describe
from hiseg_training.models.hierarchical import HierarchicalModel

CANVAS = (96, 64)


def main() -> None:
    form = ExportOptions(canvases=(CANVAS,))
    for variant in SCALING:
        for mask_size, roi_size in MASK_TO_ROI.items():
            torch.manual_seed(0)
            started = time.perf_counter()
            model = HierarchicalModel(ModelConfig(variant=variant, mask_size=mask_size)).eval()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                difference = export_onnx(model, path, describe(model, form), form)
                report = inspect_model(path)
            took = time.perf_counter() - started
            verdict = "fits" if report.fits else "; ".join(report.refused)
            sizes = f"{variant}, RoI {roi_size}: {report.megabytes:.0f} MB"
            print(f"{sizes}, differs by {difference:.1e}, {took:.0f} s, {verdict}", flush=True)


if __name__ == "__main__":
    main()
