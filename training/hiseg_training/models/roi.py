"""Anti-aliased RoI Align (after He et al., 2017, arXiv:1703.06870), and maps of boxes in crops and on canvases."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from hiseg.core.box import SAME_PERSON_IOU
from hiseg_training.config.model import TYPICAL_ASPECT

SAMPLES = 2
"""Samples per output cell along each side; 2 bilinear samples average up to 4 pixels without a gap."""


def enlarge(rois: torch.Tensor, factor: float) -> torch.Tensor:
    """Scale RoIs, float ``[N, 5]``, by ``factor`` about their centres; the result may leave 0..1."""
    batch, low, high = rois[:, :1], rois[:, 1:3], rois[:, 3:5]
    centre, half = (low + high) / 2, (high - low) * (factor / 2)
    return torch.cat([batch, centre - half, centre + half], dim=1)


def box_aspect(rois: torch.Tensor, canvas: tuple[int, int]) -> torch.Tensor:
    """How tall each box is against a typical person's: log(height / width) - :data:`TYPICAL_ASPECT`.

    Args:
        rois: float ``[N, 5]``.
        canvas: (height, width) that their coordinates 0..1 belong to, in pixels; sides under a pixel count as one.

    Returns:
        float ``[N]``, -1.4..1.4 for boxes up to four times as narrow or as wide as a typical one.
    """
    height = ((rois[:, 4] - rois[:, 2]) * canvas[0]).clamp(min=1.0)
    width = ((rois[:, 3] - rois[:, 1]) * canvas[1]).clamp(min=1.0)
    return torch.log(height / width) - TYPICAL_ASPECT


def cell_centres(low: torch.Tensor, high: torch.Tensor, cells: int) -> torch.Tensor:
    """Centres of ``cells`` equal cells between the edges ``low`` and ``high``, float ``[N]`` each: ``[N, cells]``."""
    steps = (torch.arange(cells, device=low.device, dtype=low.dtype) + 0.5) / cells
    return low[:, None] + (high - low)[:, None] * steps


def roi_align(
    features: torch.Tensor, rois: torch.Tensor, size: tuple[int, int], mode: str = "bilinear"
) -> torch.Tensor:
    """Crop RoIs from feature maps and resize them to one size.

    RoI edges are pixel edges: the RoI 0 0 1 1 covers every row and column. Samples up to half a pixel outside the
    map take its border, those further out are 0. This is ONNX's RoiAlign (mode avg, half_pixel, sampling_ratio 2),
    and is exported as such.

    Args:
        features: float or uint8 ``[B, C, H, W]``; of uint8 maps an exported graph converts only what RoIs cover.
        rois: float ``[N, 5]``, ``batch_index x1 y1 x2 y2``, coordinates 0..1 of the map.
        size: (height, width) of the output.
        mode: ``bilinear`` averages samples; ``nearest`` takes the one at each cell's centre (for labels).

    Returns:
        float ``[N, C, height, width]``, with the values of the maps.
    """
    height, width = features.shape[2:]
    if torch.compiler.is_exporting():
        scale = torch.tensor([width, height, width, height], dtype=rois.dtype)
        aligned: torch.Tensor = onnx_roi_align(features, rois[:, 1:] * scale, rois[:, 0].long(), size[0], size[1])
        return aligned
    features = features if features.is_floating_point() else features.float()
    samples = SAMPLES if mode == "bilinear" else 1
    rows, columns = size[0] * samples, size[1] * samples
    y = cell_centres(rois[:, 2], rois[:, 4], rows) * height
    x = cell_centres(rois[:, 1], rois[:, 3], columns) * width
    sampled = _sample(features, rois[:, :1], y, x, mode)
    inside_y, inside_x = (y >= -0.5) & (y <= height + 0.5), (x >= -0.5) & (x <= width + 0.5)
    sampled = sampled * (inside_y[:, None, :, None] & inside_x[:, None, None, :])
    return F.avg_pool2d(sampled, samples) if samples > 1 else sampled


def _sample(features: torch.Tensor, index: torch.Tensor, y: torch.Tensor, x: torch.Tensor, mode: str) -> torch.Tensor:
    """Features at the grid of positions ``y`` ``[N, rows]`` by ``x`` ``[N, columns]``: ``[N, C, rows, columns]``.

    The batch is stacked into one tall strip, so that no image is copied per person.
    """
    batch, channels, height, width = features.shape
    people, rows, columns = *y.shape, x.shape[1]
    strip = features.permute(1, 0, 2, 3).reshape(1, channels, batch * height, width)
    # Half a pixel inside the image's own rows: no sample mixes two images of the strip.
    strip_y = torch.clamp(y, min=0.5, max=height - 0.5) + index * height
    grid_y = (strip_y * (2.0 / (batch * height)) - 1.0)[:, :, None].expand(-1, rows, columns)
    grid_x = (x * (2.0 / width) - 1.0)[:, None, :].expand(-1, rows, columns)
    grid = torch.stack([grid_x, grid_y], dim=-1).reshape(1, people * rows, columns, 2)
    sampled = F.grid_sample(strip, grid, mode=mode, padding_mode="border", align_corners=False)
    return sampled.reshape(channels, people, rows, columns).permute(1, 0, 2, 3)


@torch.library.custom_op("hiseg::onnx_roi_align", mutates_args=())
def onnx_roi_align(
    features: torch.Tensor, boxes: torch.Tensor, index: torch.Tensor, height: int, width: int
) -> torch.Tensor:
    """Placeholder for ONNX's RoiAlign while a model is exported; it is translated by the exporter and never run.

    Args:
        features: float or uint8 ``[B, C, H, W]``.
        boxes: float ``[N, 4]``, ``x1 y1 x2 y2`` in pixels of the map.
        index: int64 ``[N]``, the map that each box is in.
        height: of the output.
        width: of the output.

    Returns:
        float ``[N, C, height, width]``.
    """
    raise NotImplementedError("onnx_roi_align only stands in an exported graph")


@onnx_roi_align.register_fake
def _(features: torch.Tensor, boxes: torch.Tensor, index: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return boxes.new_empty(boxes.shape[0], features.shape[1], height, width)


def other_people(rois: torch.Tensor) -> torch.Tensor:
    """Which RoIs are other people for which: those of the same image, less near-duplicates of a RoI itself.

    Detectors send some people twice. Told that somebody else stands exactly there, a model would give a part of the
    person away to nobody. Being near-duplicates isn't passed on: of three boxes in a row the outer two may be others.

    Args:
        rois: float ``[N, 5]``.

    Returns:
        bool ``[N, N]``, symmetric, false on the diagonal.
    """
    index = torch.arange(rois.shape[0], device=rois.device)
    others = (rois[:, None, 0] == rois[None, :, 0]) & (index[:, None] != index[None, :])
    low = torch.maximum(rois[:, None, 1:3], rois[None, :, 1:3])
    high = torch.minimum(rois[:, None, 3:5], rois[None, :, 3:5])
    shared = torch.relu(high - low).prod(dim=2)
    area = (rois[:, 3:5] - rois[:, 1:3]).prod(dim=1)
    # shared / (sum of both areas - shared) >= IoU, without a division by the area of empty boxes.
    share = SAME_PERSON_IOU / (1 + SAME_PERSON_IOU)
    return others & (shared < share * (area[:, None] + area[None, :]))


def box_channels(rois: torch.Tensor, crops: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Maps of a person's own box and of *other* people's boxes, see :func:`other_people`, within each crop.

    Args:
        rois: float ``[N, 5]``, the people's boxes.
        crops: float ``[N, 5]``, the region that each crop shows.
        size: (height, width) of a crop.

    Returns:
        float 0/1 ``[N, 2, height, width]``: inside the own box; inside at least one other box.
    """
    y, x = cell_centres(crops[:, 2], crops[:, 4], size[0]), cell_centres(crops[:, 1], crops[:, 3], size[1])
    in_y = (y[:, :, None] >= rois[None, None, :, 2]) & (y[:, :, None] < rois[None, None, :, 4])
    in_y = in_y & other_people(rois)[:, None, :]
    in_x = (x[:, None, :] >= rois[None, :, None, 1]) & (x[:, None, :] < rois[None, :, None, 3])
    others = torch.clamp(torch.matmul(in_y.to(rois.dtype), in_x.to(rois.dtype)), max=1.0)
    own_y = (y >= rois[:, 2:3]) & (y < rois[:, 4:5])
    own_x = (x >= rois[:, 1:2]) & (x < rois[:, 3:4])
    own = (own_y[:, :, None] & own_x[:, None, :]).to(rois.dtype)
    return torch.stack([own, others], dim=1)


def box_map(rois: torch.Tensor, images: int, size: tuple[int, int]) -> torch.Tensor:
    """Map of all people's boxes on each canvas.

    Args:
        rois: float ``[N, 5]``; N may be 0.
        images: number of canvases.
        size: (height, width) of the map.

    Returns:
        float 0/1 ``[images, 1, height, width]``; a cell is inside a box if its centre is.
    """
    # With an empty RoI at the end: some runtimes refuse a matrix product over no RoIs at all.
    rois = torch.cat([rois, rois.new_zeros(1, 5)])
    edges = torch.zeros(1, device=rois.device, dtype=rois.dtype), torch.ones(1, device=rois.device, dtype=rois.dtype)
    y, x = cell_centres(*edges, size[0]), cell_centres(*edges, size[1])
    in_y = (y >= rois[:, 2:3]) & (y < rois[:, 4:5])
    in_x = (x >= rois[:, 1:2]) & (x < rois[:, 3:4])
    owner = rois[None, :, 0] == torch.arange(images, device=rois.device)[:, None]
    rows = (owner[:, :, None] & in_y[None]).to(rois.dtype).transpose(1, 2)
    return torch.clamp(torch.matmul(rows, in_x.to(rois.dtype)), max=1.0)[:, None]
