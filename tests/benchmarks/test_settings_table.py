"""``docs/settings.md`` agrees with the settings in the code."""

from __future__ import annotations

from benchmarks.settings_table import PAGE, settings_table, with_table


def test_every_setting_is_in_the_table_as_it_is() -> None:
    page = PAGE.read_text()
    assert settings_table() in page, "run .venv/bin/python -m benchmarks.settings_table"
    assert with_table(page) == page
    assert with_table(page.replace(settings_table(), "nothing of this\n")) == page
