"""A gRPC connection to one Triton server, and queries for its models, their versions and their tensors."""

from __future__ import annotations

from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2
from tritonclient.grpc.aio import InferenceServerClient

from hiseg.engines.base import ModelInfo
from hiseg.engines.contract import BINARY_OUTPUT, ModelSignature, describe

ANSWER_TIMEOUT_S = 0.7
"""Seconds in which a server must answer a question; a later answer counts as none."""
TYPES = {"UINT8": "uint8", "FP32": "float32"}
"""Triton's names of the contract's types, and NumPy's."""
MAX_MESSAGE_BYTES = 2**31 - 1
CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A server that comes back must be found at once, and one that is down must cost nothing.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    # Each engine has connections of its own: closing one engine must not close another's connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version of a model, as a server describes it.

    Attributes:
        info: description of the model.
        mask_output: name of the output that holds the masks; None: it has none.
        channels: number of channels of that output.
        instances: number of batches that the server runs at once.
        on_gpu: whether any of them run on a GPU.
    """

    info: ModelInfo
    mask_output: str | None
    channels: int
    instances: int
    on_gpu: bool


def connect(address: str) -> InferenceServerClient:
    """Create a client for the server at ``address:port``; it connects when it is first used."""
    return InferenceServerClient(address, channel_args=CHANNEL_OPTIONS)


async def list_versions(client: InferenceServerClient, model: str, timeout_s: float = ANSWER_TIMEOUT_S) -> list[int]:
    """Versions of a model that are ready on the server, newest first.

    Raises:
        InferenceServerException: the server doesn't answer, or has no version.
    """
    metadata = await client.get_model_metadata(model, client_timeout=timeout_s)
    return sorted((int(version) for version in metadata.versions), reverse=True)


async def list_models(client: InferenceServerClient, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, int]:
    """Models that are ready on the server, by name, each with its newest version.

    Raises:
        InferenceServerException: the server doesn't answer.
    """
    index = await client.get_model_repository_index(client_timeout=timeout_s)
    ready: dict[str, int] = {}
    for entry in index.models:
        if entry.state == "READY" and entry.version.isdecimal():
            ready[entry.name] = max(ready.get(entry.name, 0), int(entry.version))
    return ready


async def describe_version(
    client: InferenceServerClient, address: str, model: str, version: int, timeout_s: float = ANSWER_TIMEOUT_S
) -> ServedVersion:
    """Description of one version of a model on the server.

    Raises:
        InferenceServerException: the server doesn't answer, or doesn't have the version.
        ModelError: the version doesn't keep the tensor contract.
    """
    metadata = await client.get_model_metadata(model, str(version), client_timeout=timeout_s)
    config = (await client.get_model_config(model, str(version), client_timeout=timeout_s)).config
    tensors = [*metadata.inputs, *metadata.outputs]
    signature = ModelSignature(
        source=f"{model}, version {version}, on {address}",
        types={tensor.name: TYPES.get(tensor.datatype, tensor.datatype) for tensor in tensors},
        inputs={tensor.name: list(tensor.shape) for tensor in metadata.inputs},
        outputs={tensor.name: list(tensor.shape) for tensor in metadata.outputs},
        metadata={key: value.string_value for key, value in config.parameters.items()},
    )
    info, mask_output = describe(signature, model, str(version), "triton")
    gpu = model_config_pb2.ModelInstanceGroup.KIND_GPU
    return ServedVersion(
        info=info,
        mask_output=mask_output,
        channels=1 if mask_output == BINARY_OUTPUT else 3,
        instances=max(1, sum(group.count * max(1, len(group.gpus)) for group in config.instance_group)),
        on_gpu=any(group.kind == gpu for group in config.instance_group),
    )
