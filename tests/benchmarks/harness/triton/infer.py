"""One inference over Triton's HTTP, written from the protocol's specification and independent of our engine."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np

TYPES = {"uint8": "UINT8", "float32": "FP32"}
NUMPY = {"UINT8": np.uint8, "FP32": np.float32, "INT64": np.int64}


class Refusal(Exception):
    """The server said no; its words."""


def ask(
    url: str, model: str, inputs: dict[str, np.ndarray[Any, Any]], outputs: tuple[str, ...]
) -> dict[str, np.ndarray[Any, Any]]:
    """Send tensors to a model and get those asked for.

    Raises:
        Refusal: the server answered with an error.
    """
    header = {
        "inputs": [
            {
                "name": name,
                "shape": list(value.shape),
                "datatype": TYPES[value.dtype.name],
                "parameters": {"binary_data_size": value.nbytes},
            }
            for name, value in inputs.items()
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }
    head = json.dumps(header).encode()
    body = head + b"".join(value.tobytes() for value in inputs.values())
    length = {"Inference-Header-Content-Length": str(len(head))}
    answer = httpx.post(f"{url}/v2/models/{model}/infer", content=body, headers=length, timeout=60)
    if answer.status_code != 200:
        raise Refusal(answer.json()["error"])
    # Where all is empty there is nothing binary.
    size = int(answer.headers.get("Inference-Header-Content-Length", len(answer.content)))
    rest, found = answer.content[size:], {}
    for tensor in json.loads(answer.content[:size])["outputs"]:
        count = tensor.get("parameters", {}).get("binary_data_size", 0)
        found[tensor["name"]] = np.frombuffer(rest[:count], NUMPY[tensor["datatype"]]).reshape(tensor["shape"])
        rest = rest[count:]
    return found
