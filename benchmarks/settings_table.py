"""Writes the table of settings in ``docs/settings.md`` from the code: ``python -m benchmarks.settings_table``.

A test checks that the page and :mod:`hiseg.settings` agree.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from hiseg.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
TABLE = re.compile(r"(<!-- settings: .*? -->\n)(.*?)(<!-- end of settings -->)", re.DOTALL)


def settings_table() -> str:
    """The table in Markdown: one row for each setting, with its variable, its default and its description."""
    rows = ["| setting | default | |", "|---|---|---|"]
    prefix = Settings.model_config["env_prefix"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{prefix}{name.upper()}` | {format_default(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def format_default(default: object) -> str:
    """A default as one would write it into a variable; empty if the setting is unset by default."""
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def with_table(page: str) -> str:
    """The text of the page with the table replaced by the present one."""
    return TABLE.sub(lambda found: found[1] + settings_table() + found[3], page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
