"""Which URL has which transport; its library is imported only when the first client needs it."""

from __future__ import annotations

from hiseg.client.connection import Address, AsyncTransport, Transport


def connect(to: Address) -> Transport:
    """A connection."""
    if to.is_grpc:
        from hiseg.client.grpc_sync import GrpcTransport

        return GrpcTransport(to)
    from hiseg.client.http_sync import HttpTransport

    return HttpTransport(to)


def connect_async(to: Address) -> AsyncTransport:
    """The same for an event loop."""
    if to.is_grpc:
        from hiseg.client.grpc_aio import AsyncGrpcTransport

        return AsyncGrpcTransport(to)
    from hiseg.client.http_aio import AsyncHttpTransport

    return AsyncHttpTransport(to)
