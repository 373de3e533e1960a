"""A gRPC connection to one server, and the questions it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from tritonclient.grpc import model_config_pb2
from tritonclient.grpc.aio import InferenceServerClient

from hiseg.engines.base import ModelInfo
from hiseg.engines.contract import BINARY_OUTPUT, ModelSignature, describe

SILENT_S = 0.7
"""A question that is answered later counts as not answered."""
TYPES = {"UINT8": "uint8", "FP32": "float32"}
MOST_BYTES = 2**31 - 1
CHANNEL = [
    ("grpc.max_send_message_length", MOST_BYTES),
    ("grpc.max_receive_message_length", MOST_BYTES),
    # A server that comes back shall be found at once, and one that is away shall cost nothing.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    # Of each engine's own: one that closes must not take another's connection with it.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True, slots=True)
class Described:
    """A version of a model, as a server describes it.

    Attributes:
        info: what it is.
        mask_output: which of its outputs holds the masks.
        channels: of that output.
        instances: batches that the server runs at once.
        on_gpu: some of them on a GPU.
    """

    info: ModelInfo
    mask_output: str
    channels: int
    instances: int
    on_gpu: bool


def connect(address: str) -> InferenceServerClient:
    """A client of the server at ``address:port``; it connects when it is first used."""
    return InferenceServerClient(address, channel_args=CHANNEL)


async def ask_versions(client: InferenceServerClient, model: str, within_s: float = SILENT_S) -> list[int]:
    """Versions of a model that are ready on the server, newest first.

    Raises:
        InferenceServerException: it doesn't answer, or has none.
    """
    metadata = await client.get_model_metadata(model, client_timeout=within_s)
    return sorted((int(version) for version in metadata.versions), reverse=True)


async def ask_models(client: InferenceServerClient, within_s: float = SILENT_S) -> dict[str, int]:
    """Models that are ready on the server, each with its newest version.

    Raises:
        InferenceServerException: it doesn't answer.
    """
    index = await client.get_model_repository_index(client_timeout=within_s)
    ready: dict[str, int] = {}
    for entry in index.models:
        if entry.state == "READY" and entry.version.isdecimal():
            ready[entry.name] = max(ready.get(entry.name, 0), int(entry.version))
    return ready


async def ask_description(
    client: InferenceServerClient, address: str, model: str, version: int, within_s: float = SILENT_S
) -> Described:
    """What a version of a model is.

    Raises:
        InferenceServerException: the server doesn't answer, or hasn't got it.
        ModelError: it doesn't keep the tensor contract.
    """
    metadata = await client.get_model_metadata(model, str(version), client_timeout=within_s)
    config = (await client.get_model_config(model, str(version), client_timeout=within_s)).config
    tensors = [*metadata.inputs, *metadata.outputs]
    spoken = ModelSignature(
        source=f"{model}, version {version}, on {address}",
        types={tensor.name: TYPES.get(tensor.datatype, tensor.datatype) for tensor in tensors},
        inputs={tensor.name: list(tensor.shape) for tensor in metadata.inputs},
        outputs={tensor.name: list(tensor.shape) for tensor in metadata.outputs},
        metadata={key: value.string_value for key, value in config.parameters.items()},
    )
    info, mask_output = describe(spoken, model, str(version), "triton")
    gpu = model_config_pb2.ModelInstanceGroup.KIND_GPU
    return Described(
        info=info,
        mask_output=mask_output,
        channels=1 if mask_output == BINARY_OUTPUT else 3,
        instances=max(1, sum(group.count * max(1, len(group.gpus)) for group in config.instance_group)),
        on_gpu=any(group.kind == gpu for group in config.instance_group),
    )
