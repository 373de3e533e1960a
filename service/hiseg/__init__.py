"""hiseg: an image and the boxes of the people in it go in, one mask per person comes out.

``segment`` makes masks in this process, ``Client`` has a service make them. Nothing of either is loaded until a name is
first used: the service and the command line import this package too, and must not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from hiseg.client import AsyncClient as AsyncClient
    from hiseg.client import Client as Client
    from hiseg.client import ClientError as ClientError
    from hiseg.client import ConnectionFailed as ConnectionFailed
    from hiseg.client import ConnectionLost as ConnectionLost
    from hiseg.client import DeadlineExceeded as DeadlineExceeded
    from hiseg.client import Dropped as Dropped
    from hiseg.client import Failed as Failed
    from hiseg.client import Frame as Frame
    from hiseg.client import Instance as Instance
    from hiseg.client import InternalError as InternalError
    from hiseg.client import InvalidRequest as InvalidRequest
    from hiseg.client import Outcome as Outcome
    from hiseg.client import Overloaded as Overloaded
    from hiseg.client import Policy as Policy
    from hiseg.client import RawFrame as RawFrame
    from hiseg.client import Reason as Reason
    from hiseg.client import Result as Result
    from hiseg.client import Segmented as Segmented
    from hiseg.client import Tls as Tls
    from hiseg.client import TooLarge as TooLarge
    from hiseg.client import Unauthorized as Unauthorized
    from hiseg.client import Unavailable as Unavailable
    from hiseg.client import UndecodableImage as UndecodableImage
    from hiseg.client import UnexpectedAnswer as UnexpectedAnswer
    from hiseg.client import UnsupportedImage as UnsupportedImage
    from hiseg.session import Session as Session
    from hiseg.session import SessionError as SessionError
    from hiseg.session import asegment as asegment
    from hiseg.session import segment as segment

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ConnectionFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "Dropped",
    "Failed",
    "Frame",
    "Instance",
    "InternalError",
    "InvalidRequest",
    "Outcome",
    "Overloaded",
    "Policy",
    "RawFrame",
    "Reason",
    "Result",
    "Segmented",
    "Session",
    "SessionError",
    "Tls",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UndecodableImage",
    "UnexpectedAnswer",
    "UnsupportedImage",
    "asegment",
    "segment",
]

IN_THIS_PROCESS = frozenset({"Session", "SessionError", "asegment", "segment"})
"""Names of :mod:`hiseg.session`; the others are the client's."""


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562), or ``__version__``, which ``hiseg --version`` says."""
    if name == "__version__":
        return import_module("hiseg.core.version").hiseg_version()
    if name in __all__:
        return getattr(import_module("hiseg.session" if name in IN_THIS_PROCESS else "hiseg.client"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__, "__version__"})
