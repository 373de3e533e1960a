"""Which models the servers have, on a real Triton that has two of one variant."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.harness.triton.models import add_float_b0, copy_of_ours, targets_of
from benchmarks.harness.triton.server import triton
from hiseg.core.model_choice import choose_model
from hiseg.engines.triton.address import parse_targets
from hiseg.engines.triton.discovery import discover


def test_the_default_may_be_a_variant_or_the_name_of_a_model(tmp_path: Path) -> None:
    repository = copy_of_ours(tmp_path)
    add_float_b0(repository, "a_b0")
    (repository / "hiseg_b0" / "1" / "model.int8.onnx").write_bytes(b"of the embedded engine; Triton leaves it alone")
    with triton(repository) as server:
        targets = parse_targets(targets_of(server))

        async def refs(default: str) -> list[str]:
            models = [info.ref for info in await discover(targets, default)]
            return [
                choose_model(models, *asked, default).name for asked in ((None, None), (None, "b0"), ("a_b0", None))
            ]

        found = asyncio.run(discover(targets, "b0"))
        assert all(info.ref.precision == info.card["precision"] for info in found)
        assert asyncio.run(refs("b0")) == ["hiseg_b0", "hiseg_b0", "a_b0"]
        assert asyncio.run(refs("a_b0")) == ["a_b0", "hiseg_b0", "a_b0"]
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(refs("hiseg_b9"), 0.3))
