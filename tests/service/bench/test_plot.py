"""The chart of a run is a PNG file."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest

from hiseg.bench.load import Sample
from hiseg.bench.plot import save_plot
from hiseg.bench.sender import Reply


def samples(*outcomes: str, spread: float = 1.0) -> list[Sample]:
    return [Sample(i / 10, i / 10, i / 10 + 0.02 + spread * i / 50, 1, Reply(o)) for i, o in enumerate(outcomes)]


@pytest.mark.parametrize(
    "drawn",
    [
        samples("ok"),
        samples("429", "timeout", "418"),
        samples(*["ok"] * 200, "504", spread=5),
    ],
)
def test_the_plot_is_a_png(drawn: list[Sample], tmp_path: Path) -> None:
    path = tmp_path / "run.png"
    save_plot(path, drawn, 0.0, "a title")
    with PIL.Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width > picture.height > 400
