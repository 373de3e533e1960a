"""What is said of a model's origin is whole, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.paths import PUBLISHED, ROOT
from hiseg_training.config.overrides import TomlError
from hiseg_training.export.onnx import read_metadata
from hiseg_training.export.provenance import read_provenance

OURS = ROOT / "training" / "hiseg_training" / "provenance.toml"


def test_the_projects_provenance_is_in_the_published_files() -> None:
    ours = read_provenance(OURS)
    assert ours is not None
    files = list(PUBLISHED.glob("*/*/model.onnx"))
    assert files
    for file in files:
        assert ours.facts().items() <= read_metadata(file).items()


def test_without_a_file_there_is_no_provenance() -> None:
    assert read_provenance(None) is None


@pytest.mark.parametrize(
    ("found", "made", "said"),
    [
        ("licence = ", "license = ", "licence: Field required"),
        ('training_data = "1,351', 'training_data = ""\nmore = "1,351', "training_data: String should have at least 1"),
        ("terms = ", "terms : ", "Expected '='"),
    ],
)
def test_an_invalid_file_is_refused_by_name(found: str, made: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "provenance.toml"
    path.write_text(OURS.read_text().replace(found, made))
    with pytest.raises(TomlError) as caught:
        read_provenance(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
