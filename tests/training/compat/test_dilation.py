"""Upstream's dilation does what was measured of it, in PyTorch and in a graph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from hiseg_training.compat.dilation import DilatedTarget, raise_target


def lone_pixel(background_lead: float) -> torch.Tensor:
    """Logits ``[1, 3, 9, 9]``: surely the target in the middle, elsewhere background by so much."""
    logits = torch.zeros(1, 3, 9, 9)
    logits[:, 0] = background_lead
    logits[:, 2] = -10
    logits[0, :, 4, 4] = torch.tensor([0.0, 10.0, -10.0])
    return logits


@pytest.mark.parametrize(("lead", "pixels", "area"), [(1.5, 1, 9), (1.5, 2, 25), (1.9, 1, 9), (6.0, 1, 1), (6.0, 3, 1)])
def test_a_sure_pixel_grows_where_the_background_leads_by_less_than_two(lead: float, pixels: int, area: int) -> None:
    grown = raise_target(lone_pixel(lead), pixels).argmax(dim=1) == 1
    assert int(grown.sum()) == area
    assert grown[0, 4 - pixels * (area > 1), 4]


@pytest.mark.parametrize("pixels", [1, 2, 5])
def test_dilation_follows_the_formula(pixels: int) -> None:
    logits = np.random.default_rng(pixels).normal(0, 3, (3, 3, 12, 9)).astype(np.float32)
    odds = np.exp(logits)
    target = odds[:, 1] / odds.sum(axis=1)
    window = np.ones((2 * pixels + 1, 2 * pixels + 1), dtype=np.uint8)
    surest = np.stack([cv2.dilate(rows, window) for rows in target])
    expected = logits.copy()
    expected[:, 1] += 2.0 * (surest - target > 0.1)
    np.testing.assert_allclose(raise_target(torch.from_numpy(logits), pixels), expected, atol=1e-6)


class Echo(nn.Module):
    """Answers with what it is given: the mask logits in place of RoIs."""

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return rois, images * 0.5, rois * 2


def test_any_number_of_people_in_a_graph(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    torch.onnx.export(
        DilatedTarget(Echo(), 1).eval(),
        (torch.rand(1, 1, 12, 9), torch.randn(3, 3, 12, 9)),
        path,
        dynamo=True,
        opset_version=18,
        input_names=["images", "rois"],
        output_names=["masks", "binary_masks", "wide_masks"],
        dynamic_shapes={"images": None, "rois": {0: torch.export.Dim("people", min=0)}},
        verbose=False,
    )
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = torch.rand(1, 1, 12, 9)
    for people in (0, 1, 7):
        logits = torch.randn(people, 3, 12, 9) * 3
        masks, foreground, wide = session.run(None, {"images": images.numpy(), "rois": logits.numpy()})
        np.testing.assert_allclose(masks, raise_target(logits, 1), atol=1e-5)
        np.testing.assert_array_equal(foreground, images * 0.5)
        np.testing.assert_allclose(wide, raise_target(logits * 2, 1), atol=1e-5)


def test_dilation_by_0_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="dilation_pixels must be at least 1, got 0"):
        DilatedTarget(Echo(), 0)
