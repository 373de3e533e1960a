"""A drawn data set for all tests of training that need no photographs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.drawing import draw_split


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations/ and images/ of ``train2017`` (8 pictures) and ``val2017`` (4), 120 x 160, person-only."""
    root = tmp_path_factory.mktemp("drawn")
    draw_split(root, "train2017", 8)
    draw_split(root, "val2017", 4)
    return root
