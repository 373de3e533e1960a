"""The Python client of a hiseg service, over HTTP or gRPC, with no part of the service itself.

Importing this loads neither transport's library: httpx comes with the first ``http`` URL, grpc with the first ``grpc``
one.
"""

from hiseg.client.aio import AsyncClient
from hiseg.client.errors import (
    ClientError,
    ConnectionFailed,
    ConnectionLost,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    Overloaded,
    TooLarge,
    Unauthorized,
    Unavailable,
    UndecodableImage,
    UnexpectedAnswer,
    UnsupportedImage,
)
from hiseg.client.frames import Dropped, Failed, Frame, Outcome, Segmented
from hiseg.client.images import RawFrame
from hiseg.client.result import Instance, Result
from hiseg.client.sync import Client
from hiseg.client.tls import Tls
from hiseg.core.policy import Policy
from hiseg.core.reasons import Reason

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
    "Tls",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UndecodableImage",
    "UnexpectedAnswer",
    "UnsupportedImage",
]
