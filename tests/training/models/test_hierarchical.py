"""The whole model: shapes, sizes as parameters, compute, independence of people."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hiseg_training.config.model import MASK_TO_ROI, ModelConfig
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.models.coarse import reduce
from hiseg_training.models.hierarchical import HierarchicalModel, inner_resampling, to_unit

WITH_BOXES = ModelConfig(coarse_boxes=True)


def inputs(images: int = 2, people: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    corners = torch.rand(people, 2, 2).sort(dim=1).values.reshape(people, 4)
    index = torch.arange(people)[:, None] % images
    return torch.randint(0, 256, (images, 3, 96, 128), dtype=torch.uint8), torch.cat([index.float(), corners], 1)


@pytest.mark.parametrize("family", ["residual", "efficientnet"])
@pytest.mark.parametrize(("variant", "mask_size"), [("b0", size) for size in MASK_TO_ROI] + [("b1", (128, 96))])
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
    nn.init.normal_(model.fine.prior.weight, std=0.1)
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
            together, alone = (model.crop_logits(to_unit(images), known, None, (128, 96)) for known in (rois, rois[:1]))
        assert torch.allclose(together[:1], alone, atol=1e-5) is not sees


def test_a_fresh_prior_changes_nothing() -> None:
    model = HierarchicalModel(ModelConfig()).eval()
    crops = torch.rand(1, 5, 128, 96)
    with torch.inference_mode():
        torch.testing.assert_close(model.fine(crops), model.fine(crops, torch.rand(1, 33, 32, 24)))


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
