"""``docs/settings.md`` says of the settings what the service says."""

from __future__ import annotations

from docs.settings_table import PAGE, rewritten, table


def test_every_setting_is_in_the_table_as_it_is() -> None:
    page = PAGE.read_text()
    assert table() in page, "run .venv/bin/python -m docs.settings_table"
    assert rewritten(page) == page
    assert rewritten(page.replace(table(), "nothing of this\n")) == page
