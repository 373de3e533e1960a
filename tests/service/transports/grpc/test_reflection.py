"""Reflection tells programs without our protos all that they need for a call, in both versions of its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from hiseg.transports.grpc.servicer import SERVICE
from tests.service.transports.grpc.harness import running

ALPHA, V1 = "grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"
NOT_FOUND, INVALID_ARGUMENT = 5, 3


async def ask(
    channel: grpc.aio.Channel, service: str, requests: Sequence[ServerReflectionRequest]
) -> list[ServerReflectionResponse]:
    """What grpcurl does: one stream, question after question."""
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )()
    answers = []
    for request in requests:
        await call.write(request)
        answers.append(await call.read())
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    return answers


def pool_of(answers: Sequence[ServerReflectionResponse]) -> DescriptorPool:
    """A pool of nothing but what was told."""
    files = {}
    for answer in answers:
        for text in answer.file_descriptor_response.file_descriptor_proto:
            file = FileDescriptorProto.FromString(text)
            files[file.name] = file
    pool = DescriptorPool()

    def add(name: str) -> None:
        file = files.pop(name, None)
        if file is not None:
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(files):
        add(name)
    return pool


@pytest.mark.parametrize("version", [V1, ALPHA])
def test_a_program_that_knows_nothing_lists_describes_and_calls(version: str) -> None:
    async def scenario() -> None:
        async with running() as service:
            (listed,) = await ask(service.channel, version, [ServerReflectionRequest(list_services="*")])
            names = [found.name for found in listed.list_services_response.service]
            assert names == sorted([SERVICE, "grpc.health.v1.Health", ALPHA, V1])
            questions = [ServerReflectionRequest(file_containing_symbol=name) for name in names]
            pool = pool_of(await ask(service.channel, version, questions))
            for name in names:
                assert pool.FindServiceByName(name).methods
            described = pool.FindServiceByName(SERVICE)
            assert [method.name for method in described.methods] == ["Segment", "SegmentStream", "GetInfo"]
            method = described.methods_by_name["GetInfo"]
            request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
            call = service.channel.unary_unary(f"/{SERVICE}/GetInfo", request.SerializeToString, response.FromString)
            assert [model.name for model in (await call(request())).models] == ["echo"]

    asyncio.run(scenario())


@pytest.mark.parametrize("version", [V1, ALPHA])
def test_every_kind_of_question(version: str) -> None:
    async def scenario() -> None:
        async with running() as service:
            symbols = [f"{SERVICE}.Segment", "hiseg.v1.SegmentRequest", "grpc.reflection.v1.ServerReflectionRequest"]
            good = [ServerReflectionRequest(file_containing_symbol=name) for name in symbols]
            good.append(ServerReflectionRequest(file_by_filename="hiseg/v1/segmentation.proto"))
            bad = [ServerReflectionRequest(file_containing_symbol="hiseg.v1.Nothing")]
            bad.append(ServerReflectionRequest(file_by_filename="nothing.proto"))
            answers = await ask(service.channel, version, [*good, *bad, ServerReflectionRequest(host="x")])
            assert all(answer.file_descriptor_response.file_descriptor_proto for answer in answers[: len(good)])
            codes = [answer.error_response.error_code for answer in answers[len(good) :]]
            assert codes == [NOT_FOUND, NOT_FOUND, INVALID_ARGUMENT]

    asyncio.run(scenario())
