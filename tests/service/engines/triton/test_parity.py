"""The same batches on the embedded engine and on Triton: the same numbers, bit by bit.

The server runs ONNX Runtime 1.19.2, the service a newer one. On this model, on the CPU, they agree exactly; were they
ever not to, masks (the sign of the margins) are what must be equal. `python -m
benchmarks.triton.parity` runs 200 batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness.triton.server import Triton, triton
from benchmarks.triton.parity import FLOAT, compare, repository_of_both


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Triton]]:
    """A repository with B0 as it is, and with float images; and a server of it."""
    repository = repository_of_both(tmp_path_factory.mktemp("both"))
    with triton(repository) as server:
        yield repository, server


@pytest.mark.parametrize(("model", "seed"), [("hiseg_b0", 1), (FLOAT, 2)])
def test_masks_are_those_of_the_embedded_engine(both: tuple[Path, Triton], model: str, seed: int) -> None:
    repository, server = both
    difference = asyncio.run(compare(repository, server, model, batches=10, seed=seed, most_people=8))
    assert difference.masks <= 3, "a cell whose margin is next to 0 may fall to either side"
    assert difference.logit_margins < 1e-3
    assert difference.foreground < 1e-4
    assert difference.canvases == 5
