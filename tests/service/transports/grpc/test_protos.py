"""The ``.proto`` files follow the usual rules, every part has a comment, and the stubs are up to date."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from hiseg.api.boxes import BoxFormat
from hiseg.api.encoding import MaskFormat
from hiseg.core.job import Mode, Priority, Smoothing
from hiseg.core.policy import Policy
from hiseg.images.raw import PixelFormat
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import ENUMS
from protos.generate import SOURCE, TARGET, compile_protos, generate
from tests.npm import installed

BUF = "@bufbuild/buf@1.75.0"
RULES = {"version": "v2", "lint": {"use": ["STANDARD", "COMMENTS"], "disallow_comment_ignores": True}}


@pytest.fixture(scope="module")
def descriptor(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorProto:
    target = tmp_path_factory.mktemp("protos") / "set.pb"
    compile_protos([f"--descriptor_set_out={target}", "--include_source_info"])
    (file,) = FileDescriptorSet.FromString(target.read_bytes()).file
    return file


def test_the_stubs_are_what_the_generator_makes(tmp_path: Path) -> None:
    made = {path.relative_to(tmp_path): path.read_bytes() for path in generate(tmp_path)}
    committed = {path.relative_to(TARGET): path.read_bytes() for path in TARGET.rglob("*_pb2*.py*") if path.is_file()}
    committed = {path: text for path, text in committed.items() if path.suffix in (".py", ".pyi")}
    assert len(made) == 3
    assert made == committed, "run protos/generate.py"


def test_every_part_is_documented(descriptor: FileDescriptorProto) -> None:
    documented = {tuple(place.path) for place in descriptor.source_code_info.location if place.leading_comments.strip()}
    assert set(paths(descriptor)) <= documented


def paths(file: FileDescriptorProto) -> Iterator[tuple[int, ...]]:
    """Where the compiler files the comments of messages (4), enums (5), services (6) and what is in them."""
    for i, message in enumerate(file.message_type):
        if not message.options.map_entry:
            yield 4, i
            yield from ((4, i, 2, j) for j in range(len(message.field)))
            yield from ((4, i, 8, j) for j in range(real_oneofs(message)))
    for i, enum in enumerate(file.enum_type):
        yield 5, i
        yield from ((5, i, 2, j) for j in range(len(enum.value)))
    for i, service in enumerate(file.service):
        yield 6, i
        yield from ((6, i, 2, j) for j in range(len(service.method)))


def real_oneofs(message: DescriptorProto) -> int:
    """``optional`` makes one too; these come last."""
    return len(message.oneof_decl) - sum(field.proto3_optional for field in message.field)


def test_buf_finds_nothing() -> None:
    buf = installed("hiseg-buf", BUF) / ".bin" / "buf"
    command = [buf, "lint", SOURCE, "--config", json.dumps(RULES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_keep_the_rules_of_buf(descriptor: FileDescriptorProto) -> None:
    assert descriptor.package == "hiseg.v1"
    assert Path(descriptor.name).parent.as_posix() == descriptor.package.replace(".", "/")
    for enum in descriptor.enum_type:
        prefix = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum.name).strip("_").upper()
        assert [value.number for value in enum.value] == list(range(len(enum.value)))
        assert enum.value[0].name == f"{prefix}_UNSPECIFIED"
        assert all(value.name.startswith(f"{prefix}_") for value in enum.value)
    for service in descriptor.service:
        assert service.name.endswith("Service")
        for method in service.method:
            assert method.input_type == f".hiseg.v1.{method.name}Request"
            assert method.output_type == f".hiseg.v1.{method.name}Response"


def test_names_of_messages_fields_and_methods_keep_the_rules_of_buf(descriptor: FileDescriptorProto) -> None:
    snake, pascal = re.compile(r"[a-z]+[0-9]*(_[a-z0-9]+)*"), re.compile(r"([A-Z][a-z0-9]*)+")
    for message in descriptor.message_type:
        assert pascal.fullmatch(message.name)
        assert not message.enum_type
        assert all(snake.fullmatch(field.name) for field in message.field)
        assert all(snake.fullmatch(oneof.name.removeprefix("_")) for oneof in message.oneof_decl)
        assert not {message.name for message in message.nested_type if not message.options.map_entry}
    for found in (*descriptor.enum_type, *descriptor.service):
        assert pascal.fullmatch(found.name)
    types = [kind for service in descriptor.service for m in service.method for kind in (m.input_type, m.output_type)]
    assert len(types) == len(set(types))


@pytest.mark.parametrize(
    ("enum", "prefix", "ours"),
    [(pb.StreamPolicy, "STREAM_POLICY_", Policy), (pb.PixelFormat, "PIXEL_FORMAT_", PixelFormat)],
)
def test_enums_that_only_grpc_has(enum: EnumTypeWrapper, prefix: str, ours: type[Policy]) -> None:
    assert [name.removeprefix(prefix).lower() for name in enum.keys()] == ["unspecified", *ours]  # noqa: SIM118


@pytest.mark.parametrize(
    ("field", "ours"),
    [
        ("box_format", BoxFormat),
        ("mode", Mode),
        ("mask_format", MaskFormat),
        ("priority", Priority),
        ("smoothing", Smoothing),
    ],
)
def test_enums_have_the_values_that_http_has(field: str, ours: type[Mode]) -> None:
    values = [name.removeprefix(f"{field.upper()}_").lower() for name in ENUMS[field].keys()]  # noqa: SIM118
    assert values == ["unspecified", *ours]
