"""hiseg: an image and the boxes of the people in it go in, one mask per person comes out.

``from hiseg import Client`` works without loading the client's libraries until a name is first used: the service and
the command line import this package too, and must not pay for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hiseg.client import AsyncClient as AsyncClient
    from hiseg.client import Client as Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    """Load a public name from :mod:`hiseg.client` when it is first asked for (PEP 562)."""
    if name in __all__:
        return getattr(import_module("hiseg.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
