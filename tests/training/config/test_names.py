"""Every name of upstream's stands for one configuration, and so do the short ones."""

from __future__ import annotations

import pytest

from hiseg_training.compat.names import NAMES
from hiseg_training.config.names import LITES, UnknownConfigurationError, configuration, short
from hiseg_training.config.overrides import read

P = "rgb_hierarchical_unet_v2"


def test_there_are_upstreams_sixteen() -> None:
    assert len(set(NAMES)) == 16
    assert f"{P}_distillation_b1_from_b7_temp_prog" in NAMES
    assert f"{P}_fullimage_pretrained_peopleseg_r80x60m160x120_disttrans_contdet_baware_from_B1_enhanced" in NAMES
    assert [name for name in NAMES if "m256x192" in name] == [
        f"{P}_fullimage_pretrained_peopleseg_r128x96m256x192_disttrans_contdet_baware_from_B7_enhanced"
    ]


@pytest.mark.parametrize("name", NAMES, ids=short)
def test_a_name_says_what_it_stands_for(name: str) -> None:
    found = configuration(name)
    assert found == configuration(short(name)) == read(found.model_dump(mode="json"))
    assert found.name == name
    if found.kind == "instance":
        height, width = found.model.mask_size
        assert f"m{height}x{width}_" in name
        assert f"r{height // 2}x{width // 2}m" in name
        assert f"_from_{found.model.variant.upper()}" in name
        assert found.model.contour
        assert found.model.distance
        assert found.loss.boundary
    else:
        assert f"_{found.model.variant}_from_{found.distillation.teacher}_" in name


@pytest.mark.parametrize("name", LITES)
def test_published_models_have_a_configuration_each(name: str) -> None:
    found = configuration(name)
    assert found == read(found.model_dump(mode="json"))
    assert (found.name, found.kind, found.model.family) == (name, "instance", "lite")
    assert found.model.pretrained
    sizes = [found.instances.size_at(progress, found.model.mask_size) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert sizes[0] == (96, 72)
    assert sizes[-1] == found.model.mask_size
    assert sizes == sorted(sizes)


def test_enhanced_is_wider() -> None:
    for variant in ("b0", "b1", "b7"):
        plain, enhanced = (configuration(variant + end).model for end in ("", "-enhanced"))
        assert all(b > a for a, b in zip(plain.fine_widths, enhanced.fine_widths, strict=True))
    assert enhanced.fine_depth > plain.fine_depth


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(UnknownConfigurationError, match=r"b1-80x6'.*b1-80x60"):
        configuration("b1-80x6")
    wrong = NAMES[3].replace("m128x96", "m160x120")
    with pytest.raises(UnknownConfigurationError, match=NAMES[3]):
        configuration(wrong)
