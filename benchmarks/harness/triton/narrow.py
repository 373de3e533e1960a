"""A gRPC proxy with a small message limit, as proxies between hiseg and a Triton often have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

DEFAULT_BYTES = 4 * 1024 * 1024
"""gRPC's own limit for a message to a server that sets none."""


class _PassOn(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        call = self._channel.unary_unary(details.method)

        async def pass_on(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
            try:
                return await call(request)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")

        return grpc.unary_unary_rpc_method_handler(pass_on)


@asynccontextmanager
async def narrow(address: str) -> AsyncIterator[str]:
    """The address of a proxy before the server at ``address``."""
    async with grpc.aio.insecure_channel(address) as channel:
        proxy = grpc.aio.server()
        proxy.add_generic_rpc_handlers([_PassOn(channel)])
        port = proxy.add_insecure_port("127.0.0.1:0")
        await proxy.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await proxy.stop(None)
