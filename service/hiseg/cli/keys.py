"""``hiseg key``: makes an API key. Standard output gets the line for the file alone, so that it can be appended."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg.access.keys import NAME, new_key


def key(
    name: Annotated[str, typer.Argument(help="whose it is, for logs: 1 to 40 letters, digits, dots and dashes")],
) -> None:
    """Make an API key: the key is for its owner alone, the line for the file that HISEG_API_KEYS_FILE names.

    `hiseg key NAME >> api_keys` appends the line, and shows the key.
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is not 1 to 40 letters, digits, dots and dashes")
    secret, stored = new_key()
    typer.echo(f"key, for its owner alone and stored nowhere: {secret}\nline for the file of keys:", err=True)
    typer.echo(f"{name} {stored}")
