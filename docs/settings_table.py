"""Writes the table of settings in ``docs/settings.md`` anew: ``.venv/bin/python -m docs.settings_table``.

Operators read the table and programs read :mod:`hiseg.settings`; a test holds that they say the same.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from hiseg.settings import Settings

PAGE = Path(__file__).with_name("settings.md")
TABLE = re.compile(r"(<!-- settings: .*? -->\n)(.*?)(<!-- end of settings -->)", re.DOTALL)


def table() -> str:
    """A row for each setting: its variable, its default, what it is."""
    rows = ["| setting | default | |", "|---|---|---|"]
    prefix = Settings.model_config["env_prefix"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{prefix}{name.upper()}` | {shown(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def shown(default: object) -> str:
    """A default as one would write it down; nothing for what is unset."""
    if default is None or default == ():
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def rewritten(page: str) -> str:
    """The page with the table as it should be."""
    return TABLE.sub(lambda found: found[1] + table() + found[3], page)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
