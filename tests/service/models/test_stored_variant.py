"""The variant of a file is found without opening it, whatever the file is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.paths import PUBLISHED
from hiseg.models.repository import StoredModel, stored_models
from hiseg.models.stored_variant import stored_variant


def stored(folder: Path, name: str, variant: str | None, data: bytes = b"") -> StoredModel:
    """A file with nothing but a graph's worth of bytes and its metadata."""
    path = folder / f"{name}.onnx"
    entries = b"".join(_field(14, _field(1, key) + _field(2, value)) for key, value in _metadata(variant))
    path.write_bytes(data + _field(7, _field(1, b"node" * 1000)) + entries)
    return StoredModel(name, "1", path)


def _metadata(variant: str | None) -> list[tuple[bytes, bytes]]:
    return [(b"mask_extent", b"1.25"), *([] if variant is None else [(b"variant", variant.encode())])]


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def test_published_models_say_their_variant() -> None:
    assert {model.name: stored_variant(model) for model in stored_models(PUBLISHED)}.items() >= {
        ("hiseg_b0", "b0"),
        ("hiseg_b1", "b1"),
    }


def test_what_a_file_says_goes_before_its_name(tmp_path: Path) -> None:
    assert stored_variant(stored(tmp_path, "hiseg_b0", "tiny")) == "tiny"
    assert stored_variant(stored(tmp_path, "hiseg_b0", None)) == "b0"


@given(data=st.binary(max_size=200))
def test_any_file_has_a_variant(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "model.onnx").write_bytes(data)
    assert isinstance(stored_variant(StoredModel("my_b1", "1", folder / "model.onnx")), str)


def test_a_file_that_is_gone_has_the_variant_in_its_name() -> None:
    assert stored_variant(StoredModel("my_b1", "1", Path("/nowhere/model.onnx"))) == "b1"
