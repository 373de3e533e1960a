"""The README and docs/models.md have the figures of the published models' metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.model_tables import PAGES, rewritten


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_say_what_the_metrics_say(page: Path) -> None:
    text, table = page.read_text(), PAGES[page]()
    assert table in text, "run `make docs`"
    assert rewritten(text.replace(table, "nothing of this\n"), table) == text
