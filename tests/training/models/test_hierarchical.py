"""The whole model: shapes, sizes as parameters, compute, independence of people."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hiseg_training.config.model import MASK_TO_ROI, TYPICAL_ASPECT, ModelConfig
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.models.coarse import reduce
from hiseg_training.models.hierarchical import HierarchicalModel, inner_resampling, to_unit
from hiseg_training.models.roi import box_channels, enlarge, roi_align

WITH_BOXES = ModelConfig(coarse_boxes=True)
NARROW = ModelConfig(fine_widths=(8,) * 4, coarse_widths=(8,) * 4)


def inputs(images: int = 2, people: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    corners = torch.rand(people, 2, 2).sort(dim=1).values.reshape(people, 4)
    index = torch.arange(people)[:, None] % images
    return torch.randint(0, 256, (images, 3, 96, 128), dtype=torch.uint8), torch.cat([index.float(), corners], 1)


@pytest.mark.parametrize(
    ("family", "variant", "mask_size"),
    [
        *(("residual", "b0", size) for size in MASK_TO_ROI),
        ("residual", "b1", (128, 96)),
        ("efficientnet", "b1", (128, 96)),
        ("lite", "b0", (160, 120)),
        ("lite", "b1", (128, 96)),
    ],
)
def test_variants_and_sizes_are_parameters(family: str, variant: str, mask_size: tuple[int, int]) -> None:
    config = ModelConfig(variant=variant, family=family, mask_size=mask_size, fine_widths=(48, 32, 24, 16))
    model = HierarchicalModel(config).eval()
    with torch.inference_mode():
        masks, foreground, wide = model(*inputs())
    assert masks.shape == wide.shape == (3, 3, *mask_size)
    assert foreground.shape == (2, 1, 96, 128)
    assert 0 <= foreground.min() <= foreground.max() <= 1
    assert config.roi_size == MASK_TO_ROI[mask_size]


def test_b7_is_deeper_and_wider() -> None:
    sizes = [sum(p.numel() for p in HierarchicalModel(ModelConfig(variant=v)).parameters()) for v in ("b0", "b1", "b7")]
    assert sizes[0] < sizes[1] < sizes[2]


def test_b0_keeps_its_budget() -> None:
    counted = complexity(HierarchicalModel(ModelConfig()).eval())
    assert 0 < counted.gmac_per_image <= 3
    assert 0 < counted.gmac_per_person <= 0.5


def test_no_boxes_give_empty_masks() -> None:
    model = HierarchicalModel(ModelConfig()).eval()
    images, rois = inputs()
    with torch.inference_mode():
        masks, foreground, wide = model(images, rois[:0])
    assert masks.shape == wide.shape == (0, 3, 128, 96)
    assert foreground.shape == (2, 1, 96, 128)


def test_uint8_and_unit_floats_mean_the_same() -> None:
    model = HierarchicalModel(ModelConfig()).eval()
    images, rois = inputs()
    with torch.inference_mode():
        for a, b in zip(model(images, rois), model(images.float() / 255, rois), strict=True):
            torch.testing.assert_close(a, b)


def test_people_of_other_images_change_nothing() -> None:
    model = HierarchicalModel(WITH_BOXES).eval()
    images, rois = inputs(people=4)
    with torch.inference_mode():
        together, anybody, _ = model(images, rois)
        alone, anybody_alone, _ = model(images[:1], rois[::2])
    torch.testing.assert_close(together[::2], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(anybody[:1], anybody_alone, atol=1e-4, rtol=1e-4)


def test_masks_are_the_middle_of_wide_ones() -> None:
    model = HierarchicalModel(ModelConfig()).eval()
    with torch.inference_mode():
        masks, _, wide = model(*inputs())
    rows, columns = (inner_resampling(cells, 1.2) for cells in (128, 96))
    torch.testing.assert_close(masks, rows @ wide @ columns.T, atol=1e-5, rtol=1e-4)


def test_the_coarse_stage_sees_boxes_if_it_is_made_to() -> None:
    images, rois = inputs()
    for config, sees in ((ModelConfig(), False), (WITH_BOXES, True)):
        model = HierarchicalModel(config).eval()
        with torch.inference_mode():
            with_boxes, without = (model.run_coarse(to_unit(images), known).logits for known in (rois, rois[:0]))
            alone = model.coarse(reduce(to_unit(images), 2)).logits
        assert torch.equal(with_boxes, without) is not sees
        torch.testing.assert_close(without, alone)


def test_the_fine_stage_sees_the_boxes_of_others_unless_it_is_made_not_to() -> None:
    images, rois = inputs(images=1)
    for config, sees in ((ModelConfig(), True), (ModelConfig(other_boxes=False), False)):
        model = HierarchicalModel(config).eval()
        with torch.inference_mode():
            together, alone = (model.crop_logits(to_unit(images), known, (128, 96)) for known in (rois, rois[:1]))
        assert torch.allclose(together[:1], alone, atol=1e-5) is not sees


def test_what_is_asked_for_alone_is_as_in_the_whole() -> None:
    model = HierarchicalModel(WITH_BOXES).eval()
    images, rois = inputs()
    run: list[str] = []
    model.coarse.register_forward_hook(lambda *_: run.append("coarse"))
    model.fine.register_forward_hook(lambda *_: run.append("fine"))
    with torch.inference_mode():
        masks, wide_masks = model.masks(images, rois)
        foreground = model.foreground(images, rois)
        assert run == ["fine", "coarse"]
        for alone, whole in zip((masks, foreground, wide_masks), model(images, rois), strict=True):
            assert torch.equal(alone, whole)
        assert torch.equal(model.foreground(images), model(images, rois[:0])[1])


@pytest.mark.parametrize(("family", "black", "white"), [("residual", -2.1179, 2.2489), ("lite", -127 / 128, 1.0)])
def test_inputs_of_the_fine_stage(family: str, black: float, white: float) -> None:
    """The same wherever crops are cut, normalised for the family."""
    model = HierarchicalModel(replace(NARROW, family=family))
    images = torch.zeros(1, 3, 96, 128, dtype=torch.uint8)
    images[..., 64:] = 255
    rois = torch.tensor([[0, 0.25, 0.25, 0.75, 0.75], [0, 0.5, 0.0, 1.0, 0.5]])
    size = (48, 32)
    crops = enlarge(rois, model.config.context)
    pixels = (roi_align(to_unit(images), crops, size) * 255).round().to(torch.uint8)
    boxes = box_channels(rois, crops, size).to(torch.uint8)
    cut = model.crop_inputs(pixels, boxes, torch.tensor([48 / 64, 48 / 64]).log() - TYPICAL_ASPECT)
    assert cut.dtype == torch.float32
    assert cut.is_contiguous(memory_format=torch.channels_last)
    seen: list[torch.Tensor] = []
    model.fine.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        model.eval().crop_logits(to_unit(images), rois, size)
    torch.testing.assert_close(seen[0], cut, atol=0.01, rtol=0)
    assert cut[0, 0].min().item() == pytest.approx(black, abs=1e-3)
    assert cut[0, 0].max().item() == pytest.approx(white, abs=1e-3)
    assert torch.equal(cut[:, 3:5], boxes.float())
    torch.testing.assert_close(cut[:, 5], torch.full((2, *size), -0.9877), atol=1e-4, rtol=0)


def test_the_coarse_stage_can_start_from_the_fine_one() -> None:
    for config, channels in ((ModelConfig(), 3), (WITH_BOXES, 4)):
        model = HierarchicalModel(config)
        model.start_coarse_from_fine()
        fine, coarse = model.fine.encoder.state_dict(), model.coarse.encoder.state_dict()
        for name, weight in coarse.items():
            same = weight.shape == fine[name].shape
            torch.testing.assert_close(weight, fine[name] if same else fine[name][:, :channels])


def test_inner_resampling_rows_sum_to_1() -> None:
    torch.testing.assert_close(inner_resampling(9, 1.0), torch.eye(9))
    middle = inner_resampling(96, 1.2) @ (torch.arange(96.0) + 0.5)
    torch.testing.assert_close(middle[0].item(), 96 / 12 + 0.5 / 1.2, atol=1e-3, rtol=0)
    torch.testing.assert_close(inner_resampling(96, 1.2).sum(1), torch.ones(96))


@pytest.mark.parametrize("wrong", [{"variant": "b9"}, {"family": "plain"}, {"mask_size": (1, 2)}])
def test_impossible_configurations_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ModelConfig(**wrong)  # type: ignore[arg-type]
