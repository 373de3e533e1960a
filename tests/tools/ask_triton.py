"""Uses a service by the Open Inference Protocol with Triton's own client.

    python ask_triton.py HOST:PORT PHOTO BOXES.json OUT

Writes the results to OUT.npz, and the service's metadata and errors to OUT.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

MODEL = "hiseg_b0"
OUTPUTS = "masks", "scores", "areas", "boxes", "image_size"


def inputs(photo: bytes, boxes: np.ndarray, binary: bool = True) -> list[triton.InferInput]:
    image = triton.InferInput("image", [1], "BYTES")
    # The client can't put bytes that are no text into JSON, so the image is always binary.
    image.set_data_from_numpy(np.array([photo], dtype=object), binary_data=True)
    rows = triton.InferInput("boxes", list(boxes.shape), "FP32")
    rows.set_data_from_numpy(boxes, binary_data=binary)
    return [image, rows]


def failure(client: triton.InferenceServerClient, *arguments: Any, **named: Any) -> list[str]:
    try:
        client.infer(*arguments, **named)
    except InferenceServerException as error:
        return [str(error.status()), error.message()]
    return []


def main(address: str, photo_path: str, boxes_path: str, out: str) -> None:
    photo = Path(photo_path).read_bytes()
    boxes = np.array(json.loads(Path(boxes_path).read_text()), np.float32)
    client = triton.InferenceServerClient(address)
    asked = inputs(photo, boxes)
    everything = [triton.InferRequestedOutput(name) for name in OUTPUTS]
    as_json = [triton.InferRequestedOutput(name, binary_data=False) for name in OUTPUTS]
    ways = {
        "default": client.infer(MODEL, asked),
        "binary": client.infer(MODEL, asked, outputs=everything, request_id="7", model_version="1"),
        "json": client.infer(MODEL, inputs(photo, boxes, binary=False), outputs=as_json),
        "areas": client.infer(MODEL, asked, outputs=[triton.InferRequestedOutput("areas")]),
        "strict": client.infer(MODEL, asked, parameters={"threshold": 0.8}),
        "nobody": client.infer(MODEL, inputs(photo, np.zeros((0, 4), np.float32))),
        "binary_mode": client.infer(MODEL, asked, parameters={"mode": "binary"}),
        "without_boxes": client.infer(MODEL, asked[:1], parameters={"mode": "binary"}),
        "in_time": client.infer(MODEL, asked, timeout=20_000_000, priority=2),
    }
    found = {
        f"{way}/{name}": array.astype(str) if array.dtype == object else array
        for way, answer in ways.items()
        for name in OUTPUTS
        if (array := answer.as_numpy(name)) is not None
    }
    np.savez(out + ".npz", **found)
    said = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(MODEL),
        "versioned_ready": client.is_model_ready(MODEL, "1"),
        "nobody_ready": client.is_model_ready("nobody"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata(MODEL),
        "response": ways["binary"].get_response(),
        "errors": {
            "model": failure(client, "nobody", asked),
            "version": failure(client, MODEL, asked, model_version="9"),
            "box": failure(client, MODEL, inputs(photo, np.array([[9, 9, 1, 1]], np.float32))),
            "image": failure(client, MODEL, inputs(b"GIF89a", boxes)),
            "option": failure(client, MODEL, asked, parameters={"threshold": 7}),
            "timeout": failure(client, MODEL, asked, timeout=1),
            "compressed": failure(client, MODEL, asked, request_compression_algorithm="gzip"),
            "boxes": failure(client, MODEL, inputs(photo, np.tile(boxes, (60, 1)))),
        },
    }
    Path(out + ".json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
