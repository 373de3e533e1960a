"""Let timm and Lightning import torchvision's Python parts beside a CPU build of torch.

The registry's torchvision wheel is built for CUDA torch. Beside a CPU build its compiled operators do not load,
and ``import torchvision`` fails because it registers fake kernels for two of them. Declaring their schemas first
is enough; the operators themselves stay unavailable, and nothing here calls them.
"""

from __future__ import annotations

import torch

_declared: list[torch.library.Library] = []


def declare_missing_operators() -> None:
    """Declare ``torchvision::nms`` and ``torchvision::qnms`` where the compiled ones are absent; safe to repeat."""
    if _declared:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
        _declared.append(library)
