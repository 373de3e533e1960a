"""Describes the services to programs such as grpcurl and Postman, in both versions of the protocol.

The messages of ``grpc.reflection.v1`` are those of ``v1alpha``, but the package ``grpcio-reflection`` has only these.
Newer programs ask for v1 first, and some for nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default, DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from hiseg.transports.grpc.call import Call, Context
from hiseg.transports.grpc.requests import parse
from hiseg.transports.grpc.small_calls import SmallCalls

IDLE_SECONDS = 60.0
"""Longest time between two messages of a stream of reflection."""
ALPHA, V1 = reflection.SERVICE_NAME, reflection.SERVICE_NAME.replace("v1alpha", "v1")


def reflection_handlers(small: SmallCalls, services: tuple[str, ...]) -> tuple[grpc.GenericRpcHandler, ...]:
    """Make the handlers of both versions, which describe ``services`` and themselves."""
    pool = _descriptions((*services, ALPHA))
    servicer = reflection.aio.ReflectionServicer((*services, ALPHA, V1), pool=pool)

    async def info(call: Call, context: Context) -> None:
        async def requests() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            while (data := await call.read(IDLE_SECONDS)) is not None:
                request = parse(reflection_pb2.ServerReflectionRequest, data, 0)
                with suppress(KeyError):  # the pool finds no file of a method, but its service
                    method = pool.FindMethodByName(request.file_containing_symbol)
                    request.file_containing_symbol = method.containing_service.full_name
                yield request

        async for response in servicer.ServerReflectionInfo(requests(), context):
            await small.write(call, response)

    methods = {"ServerReflectionInfo": small.handler(info)}
    return tuple(grpc.method_handlers_generic_handler(name, methods) for name in (ALPHA, V1))


def _descriptions(services: tuple[str, ...]) -> DescriptorPool:
    """The files of ``services``, and that of v1, which would be in the way of others in the pool of all."""
    pool = DescriptorPool()

    def add(file: FileDescriptor) -> None:
        for each in file.dependencies:
            add(each)
        pool.AddSerializedFile(file.serialized_pb)

    for name in services:
        add(Default().FindFileContainingSymbol(name))
    alpha = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    text = text_format.MessageToString(alpha).replace("v1alpha", "v1")
    pool.AddSerializedFile(text_format.Parse(text, FileDescriptorProto()).SerializeToString())
    return pool
