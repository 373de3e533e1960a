"""Calls of gRPC's own services, health and reflection: small messages, no masks, and of health no key either."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from hiseg.access.quota import ConcurrencyLimit, address_share
from hiseg.api.limits import READ_ANSWER_SECONDS
from hiseg.api.outcomes import ClientDisconnected
from hiseg.core.errors import HisegError
from hiseg.transports.grpc.auth import TrustedProxies
from hiseg.transports.grpc.call import Call, Calls, Context, abort

MAX_SMALL_CALLS = 256
"""Most calls of health and reflection, watchers included, that are open at once."""
Method: TypeAlias = Callable[[Call, Context], Awaitable[None]]


class SmallCalls:
    """Opens the calls of these services, within a limit in all and for each address.

    Args:
        calls: opens the calls.
        proxies: say which address a call comes from.
    """

    def __init__(self, calls: Calls, proxies: TrustedProxies) -> None:
        self._calls = calls
        self._proxies = proxies
        self._limit = ConcurrencyLimit("health checks", MAX_SMALL_CALLS)

    def handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        """Make the handler of a method, whatever kind of method it is."""

        async def handle(_: object, context: Context) -> None:
            address = self._proxies.client_address(context.peer(), context.invocation_metadata() or ())
            client = address_share(address)
            try:
                with self._limit.acquire(client), self._calls.open(context, client) as call:
                    await method(call, context)
            except ClientDisconnected as error:
                raise asyncio.CancelledError from error
            except HisegError as error:
                if not context.done():
                    await abort(context, error)

        return grpc.stream_stream_rpc_method_handler(handle)

    async def write(self, call: Call, message: Message) -> None:
        """Write an answer; see :meth:`Call.write`."""
        await call.write(message.SerializeToString(), READ_ANSWER_SECONDS)
