"""Makes every call that Triton's clients have, over HTTP and over HTTP with asyncio.

    python every_call.py HOST:PORT PHOTO SAID.json

SAID has, for each client and call, ``["answer", what came]``, ``["error", status, sentence]`` for the client's own
exception, or ``["broken", type, sentence]`` for any other.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

NOT_CALLS = {"close", "register_plugin", "unregister_plugin", "plugin", "generate_request_body", "parse_response_body"}
OPTIONAL = {"model_version": "1", "region_name": "region", "name": "region", "model_name": "hiseg_b0"}
VALUES: dict[str, Any] = {
    "model_name": "hiseg_b0",
    "name": "region",
    "key": "/region",
    "byte_size": 64,
    "raw_handle": b"handle",
    "device_id": 0,
    "settings": {"log_info": True, "trace_level": ["OFF"]},
}


def asked(photo: bytes) -> list[Any]:
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([photo], dtype=object))
    boxes = triton.InferInput("boxes", [1, 4], "FP32")
    boxes.set_data_from_numpy(np.array([[22, 15, 365, 512]], np.float32))
    return [image, boxes]


def arguments(call: Callable[..., Any], inputs: list[Any]) -> dict[str, Any]:
    """Values for all that a call must be given."""
    wanted = inspect.signature(call).parameters.values()
    known = VALUES | {"inputs": inputs}
    return {each.name: known[each.name] for each in wanted if each.default is each.empty and each.name in known}


def shown(found: Any) -> Any:
    if hasattr(found, "get_result"):
        found = found.get_result()
    if hasattr(found, "as_numpy"):
        return np.asarray(found.as_numpy("areas")).tolist()
    return found if isinstance(found, dict | list | bool | None) else str(found)


def variants(name: str, given: dict[str, Any], call: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """A call with what it must have, and with each of the names that it may have."""
    found = {name: given}
    for option, value in OPTIONAL.items():
        if option in inspect.signature(call).parameters and option not in given:
            found[f"{name}({option})"] = given | {option: value}
    return found


def calls(client: Any) -> list[str]:
    names = (name for name, _ in inspect.getmembers(client, callable) if not name.startswith("_"))
    return [name for name in names if name not in NOT_CALLS]


def outcome(call: Callable[[], Any]) -> list[Any]:
    try:
        return ["answer", shown(call())]
    except InferenceServerException as error:
        return ["error", str(error.status()), error.message()]
    except Exception as error:
        return ["broken", type(error).__name__, str(error)]


def blocking(address: str, photo: bytes) -> dict[str, list[Any]]:
    said = {}
    client = triton.InferenceServerClient(address)
    for name in calls(client):
        method = getattr(client, name)
        for variant, given in variants(name, arguments(method, asked(photo)), method).items():
            said[variant] = outcome(partial(method, **given))
    return said


async def with_asyncio(address: str, photo: bytes) -> dict[str, list[Any]]:
    said = {}
    async with triton_aio.InferenceServerClient(address) as client:
        for name in calls(client):
            method = getattr(client, name)
            for variant, given in variants(name, arguments(method, asked(photo)), method).items():
                try:
                    said[variant] = ["answer", shown(await method(**given))]
                except InferenceServerException as error:
                    said[variant] = ["error", str(error.status()), error.message()]
                except Exception as error:
                    said[variant] = ["broken", type(error).__name__, str(error)]
    return said


def main(address: str, photo_path: str, out: str) -> None:
    photo = Path(photo_path).read_bytes()
    said = {"http": blocking(address, photo), "aio": asyncio.run(with_asyncio(address, photo))}
    Path(out).write_text(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
