"""Do tensors reach a Triton server: through shared memory where it sees ours, else in messages of the largest size?"""

from __future__ import annotations

import ipaddress
import secrets
import shutil
import socket

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hiseg.doctor.finding import Finding, ok, warning, wrong
from hiseg.engines.triton.regions import SHARED_MEMORY, create_region
from hiseg.settings import MEBI, Settings

TRANSFER_S = 30.0
"""Seconds for a message of the largest size to arrive."""
OUTPUT_SHARE = 2
"""Factor on a batch's bytes for its outputs, which may be as large: FP32 foreground is 4/3 of a UINT8 image."""


async def check_shared_memory(client: InferenceServerClient, address: str, settings: Settings) -> Finding:
    """Make a region of shared memory, let the server open it, and remove it again."""
    try:
        region = create_region(f"doctor-{secrets.token_hex(4)}", 1)
    except OSError as error:
        return warning(
            "shared memory",
            f"no region can be made in {SHARED_MEMORY}: {error.strerror or error}",
            "In a container give it room: --shm-size, or --ipc=host beside a Triton with --ipc=host.",
        )
    try:
        await client.register_system_shared_memory(
            region.name, f"/{region.name}", region.size, client_timeout=TRANSFER_S
        )
        await client.unregister_system_shared_memory(region.name, client_timeout=TRANSFER_S)
    except InferenceServerException as error:
        return _not_shared(address, " ".join(str(error).split())[:200])
    finally:
        region.destroy()
    needed = settings.max_batch_bytes * OUTPUT_SHARE
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < needed:
        return warning(
            "shared memory",
            f"{address} shares ours, but {free // MEBI} MiB are free in {SHARED_MEMORY} and one largest batch needs "
            f"{needed // MEBI}: beyond that tensors go over the connection",
            "Give it more room (--shm-size), or set max_batch_bytes lower.",
        )
    return ok("shared memory", f"{address} shares ours: tensors of a batch needn't go over the connection")


def _not_shared(address: str, why: str) -> Finding:
    """Judge a server that can't open our memory: no wonder on another machine, a loss of time on this one."""
    if not is_local_address(address.rpartition(":")[0].strip("[]")):
        return ok("shared memory", f"{address} is another machine: tensors go over the connection")
    return warning(
        "shared memory",
        f"{address} is on this machine, but doesn't share our memory: {why}",
        "Start both containers with --ipc=host (or one with --ipc=container:OTHER), as the same user or root.",
    )


def is_local_address(host: str) -> bool:
    """Tell whether an IP address is one of this machine's."""
    address = ipaddress.ip_address(host)
    if address.is_loopback:
        return True
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


async def check_message_size(client: InferenceServerClient, address: str, model: str, settings: Settings) -> Finding:
    """Check that a message as large as the largest batch reaches the server.

    It has an input that no model has, so that the server must read all of it and computes nothing.
    """
    size = settings.max_batch_bytes
    tensor = InferInput("doctor", [size], "UINT8")
    tensor.set_data_from_numpy(np.zeros(size, dtype=np.uint8))
    found = f"a message of {size // MEBI} MiB (max_batch_bytes)"
    try:
        await client.infer(model, [tensor], client_timeout=TRANSFER_S)
    except InferenceServerException as error:
        if error.status() == "StatusCode.INVALID_ARGUMENT":
            return ok("message size", f"{found} gets to {address}")
        found += f" doesn't get to {address}: {' '.join(str(error).split())[:200]}"
    else:
        found += f" was taken by {address}, which should have refused it"
    return wrong(
        "message size",
        found,
        "Raise the limit of whatever stands between (a proxy's message size), or set max_batch_bytes lower.",
    )
