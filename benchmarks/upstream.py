"""Upstream's B0, rebuilt from what is published of it, so that its speed can be measured beside ours.

Upstream is PINTO0309's human-instance-segmentation. A UNet over the whole image segments all people; the image and the
UNet's logits are sampled once per RoI cell for each person; a head of 256 channels at the full resolution of the RoI
separates the person from the others. Each part has the published number of parameters. The weights are random.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from torch import nn

from hiseg_training.compat.unet import UNetStage
from hiseg_training.evaluation.complexity import gmac
from hiseg_training.export.forms import OPSETS
from hiseg_training.export.onnx import fold_sequences, simplify_graph

ROI = (64, 48)
WIDTH, BASE, DEPTH = 256, 64, 3


class Residual(nn.Module):
    """Residual block: two convolutions and an identity shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*convolution(channels, channels), *convolution(channels, channels)[:2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.inner(x) + x)


def convolution(below: int, above: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.Conv2d(below, above, 3, padding=1), nn.BatchNorm2d(above), nn.ReLU()


class DeepUNet(nn.Module):
    """UNet with an attention gate that separates people from background in a RoI.

    ``[N, 256, h, w]`` -> logits ``[N, 2, h, w]``: background, any person.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = [BASE * 2**level for level in range(DEPTH)]
        self.down = nn.ModuleList([nn.Sequential(*convolution(WIDTH, BASE), Residual(BASE), Residual(BASE))])
        for below, above in pairwise(widths):
            self.down.append(nn.Sequential(Residual(below), Residual(below), *convolution(below, above)))
        deepest = widths[-1]
        self.gate = nn.Sequential(
            Residual(deepest), Residual(deepest), *convolution(deepest, deepest), nn.Conv2d(deepest, deepest, 1)
        )
        self.bottom = nn.Conv2d(deepest, deepest, 3, padding=1)
        self.up, self.join = nn.ModuleList(), nn.ModuleList()
        for above, below in pairwise(widths[::-1]):
            self.up.append(nn.ConvTranspose2d(above, below, 2, stride=2))
            self.join.append(nn.Sequential(*convolution(2 * below, below), Residual(below), Residual(below)))
        self.last = nn.Sequential(*convolution(BASE, BASE // 2), nn.Conv2d(BASE // 2, 2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, stage in enumerate(self.down):
            x = stage(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        x = self.bottom(x) * torch.sigmoid(self.gate(x))
        for up, join, skip in zip(self.up, self.join, skips[-2::-1], strict=True):
            x = F.interpolate(up(x), size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = join(torch.cat([x, skip], dim=1))
        logits: torch.Tensor = self.last(x)
        return logits


class SpatialAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.attention(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)))


class ChannelAttention(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weighted: torch.Tensor = x * self.attention(x)
        return weighted


class Head(nn.Module):
    """Segments people against background first, then the person of the box against the others.

    ``[N, 256, h, w]`` -> logits ``[N, 3, 2h, 2w]``: background, target, other people.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Sequential(*convolution(WIDTH, WIDTH), Residual(WIDTH), Residual(WIDTH))
        self.foreground = DeepUNet()
        self.enlarge = nn.Sequential(
            nn.ConvTranspose2d(2, 32, 2, stride=2), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 2, 1)
        )
        self.gate = nn.Sequential(
            nn.Conv2d(2, 64, 1), nn.ReLU(), nn.Conv2d(64, 128, 1), nn.ReLU(), nn.Conv2d(128, WIDTH, 1), nn.Sigmoid()
        )
        self.identity = nn.Sequential(
            Residual(WIDTH),
            SpatialAttention(),
            nn.ConvTranspose2d(WIDTH, 128, 2, stride=2),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            ChannelAttention(128, 16),
            Residual(128),
            nn.Conv2d(128, 2, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shared = self.shared(x)
        low = self.foreground(shared)
        foreground, identity = self.enlarge(low), self.identity(shared * self.gate(low))
        probability = foreground.softmax(1)[:, 1:]
        return torch.cat([foreground[:, :1], foreground[:, 1:] + identity * probability], dim=1)


class UpstreamModel(nn.Module):
    """B0 with RoI 64x48 and mask 128x96, for inference: branches that only training uses are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = UNetStage("b0")
        self.pixels = nn.Sequential(
            *convolution(3, 64),
            Residual(64),
            *convolution(64, 128),
            Residual(128),
            *convolution(128, 256),
            Residual(256),
            nn.Conv2d(256, WIDTH, 1),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
        )
        self.combine = nn.Conv2d(WIDTH + 2, WIDTH, 1)
        self.head = Head()

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float 0..1 ``[B, 3, H, W]`` and ``[N, 5]`` -> logits ``[N, 3, 128, 96]``, probability ``[B, 1, H, W]``."""
        logit = self.unet(images).logits
        foreground = torch.cat([logit, -logit], dim=1)
        crops = self.pixels(sample_rois(images, rois))
        masks = self.head(self.combine(torch.cat([crops, sample_rois(foreground, rois)], dim=1)))
        return masks, torch.sigmoid(2 * logit)


def sample_rois(maps: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
    """Sample each RoI bilinearly, once per cell, with the RoI's edges as the outermost samples.

    As in upstream, the whole map is copied for each RoI. float ``[B, C, H, W]`` and ``[N, 5]`` -> ``[N, C, 64, 48]``.
    """
    height, width = maps.shape[2:]
    u, v = torch.linspace(0, 1, ROI[1]), torch.linspace(0, 1, ROI[0])
    x = (rois[:, 1:2] + u * (rois[:, 3:4] - rois[:, 1:2])) * width * 2 / (width - 1) - 1
    y = (rois[:, 2:3] + v * (rois[:, 4:5] - rois[:, 2:3])) * height * 2 / (height - 1) - 1
    grid = torch.stack([x[:, None, :].expand(-1, ROI[0], -1), y[:, :, None].expand(-1, -1, ROI[1])], dim=-1)
    return F.grid_sample(maps[rois[:, 0].long()], grid, align_corners=True)


def export_upstream(path: Path) -> None:
    """Write the model as ONNX, with batch norms folded and the graph simplified as in our own exports."""
    torch.manual_seed(0)
    model = UpstreamModel().eval()
    fold_sequences(model)
    batch, people = torch.export.Dim("batch", min=1), torch.export.Dim("people", min=0)
    rois = torch.tensor([[0, 0.1, 0.1, 0.5, 0.9], [1, 0.2, 0.1, 0.7, 0.9], [1, 0.4, 0.3, 0.8, 1.0]])
    program = torch.onnx.export(
        model,
        (torch.rand(2, 3, 640, 640), rois),
        dynamo=True,
        opset_version=OPSETS[0],
        input_names=["images", "rois"],
        output_names=["masks", "binary_masks"],
        dynamic_shapes={"images": {0: batch}, "rois": {0: people}},
        verbose=False,
    )
    assert program is not None
    onnx.save(simplify_graph(program.model_proto), path)


def multiply_adds(canvas: tuple[int, int]) -> tuple[float, float]:
    """GMAC per image and per person, counted in the same way as for our models."""
    model = UpstreamModel().eval()
    fine = nn.Sequential(model.combine, model.head)
    person = gmac(model.pixels, torch.zeros(1, 3, *ROI)) + gmac(fine, torch.zeros(1, WIDTH + 2, *ROI))
    return gmac(model.unet, torch.zeros(1, 3, *canvas)), person
