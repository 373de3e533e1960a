"""Feature matching: a student's decoder should see what its teacher's decoder sees (Romero et al., 2014,
arXiv:1412.6550)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

LEAST_ENERGY = 1e-6


class FeatureMatching(nn.Module):
    """Relative squared error between decoder levels, averaged over the levels.

    Its projections have weights, which are trained together with the student and thrown away with the teacher.

    Args:
        student_channels: of the student's levels, deepest first.
        teacher_channels: of the teacher's; where one side has more levels, the shallowest ones are left alone.
    """

    def __init__(self, student_channels: Sequence[int], teacher_channels: Sequence[int]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(ours, theirs, 1) if ours != theirs else nn.Identity()
            for ours, theirs in zip(student_channels, teacher_channels, strict=False)
        )

    def forward(self, student: Sequence[torch.Tensor], teacher: Sequence[torch.Tensor]) -> torch.Tensor:
        """0 is equal, about 1 is a student that sees nothing.

        Args:
            student: levels ``[B, C, h, w]``, deepest first.
            teacher: levels of the same images; sizes are brought to the student's. No gradient flows into them.
        """
        errors = []
        for projection, ours, theirs in zip(self.projections, student, teacher, strict=False):
            seen = projection(ours).float()
            wanted = theirs.detach().float()
            if wanted.shape[2:] != seen.shape[2:]:
                wanted = F.interpolate(wanted, seen.shape[2:], mode="bilinear", antialias=True)
            energy = wanted.square().sum().clamp(min=LEAST_ENERGY)
            errors.append((seen - wanted).square().sum() / energy)
        return torch.stack(errors).mean()
