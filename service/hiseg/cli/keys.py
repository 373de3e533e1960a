"""``hiseg key``: makes an API key."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg.access.keys import NAME, new_key


def key(
    name: Annotated[str, typer.Argument(help="whose it is, for logs: letters, digits, dots and dashes")],
) -> None:
    """Make an API key: the key is for its owner alone, the line for the file that HISEG_API_KEYS_FILE names."""
    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is not 1 to 40 letters, digits, dots and dashes")
    secret, stored = new_key()
    typer.echo(f"key:  {secret}\nline: {name} {stored}")
