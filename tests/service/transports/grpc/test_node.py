"""A client in Node.js that is generated from the ``.proto`` file alone can use the service."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.paths import ROOT
from tests.npm import installed
from tests.service.transports.grpc.harness import PHOTO, running

PROTO = ROOT / "protos" / "hiseg" / "v1" / "segmentation.proto"
PACKAGES = "@grpc/grpc-js@1.14", "@grpc/proto-loader@0.8"


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder of the packages."""
    return installed("hiseg-node-client", *PACKAGES)


def test_a_client_of_node(modules: Path, tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(PHOTO)

    async def scenario() -> Any:
        async with running() as service:
            client = await asyncio.create_subprocess_exec(
                "node",
                str(Path(__file__).with_name("client.js")),
                *(service.address, str(PROTO), str(picture)),
                env=os.environ | {"NODE_PATH": str(modules)},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            async with asyncio.timeout(60):
                out, err = await client.communicate()
            assert client.returncode == 0, err.decode()
            return json.loads(out)

    got = asyncio.run(scenario())
    assert got["info"]["limits"]["message_bytes"] == str(21 * 2**20)
    (instance,) = got["answer"]["instances"]
    assert (instance["box"], instance["area"]) == ({"x1": 10, "y1": 5, "x2": 30, "y2": 50}, 20 * 45)
    assert instance["coco_rle"]["height"] == 60
    assert got["refusal"]["code"] == 3
    assert got["refusal"]["details"].startswith("boxes[0]")
    assert got["refusal"]["rich"] == 1
    first, second, third = got["responses"]
    assert (first["sequence"], first["timestamp_us"], first["outcome"]) == (str(2**64 - 1), "-7", "result")
    assert first["result"]["instances"][0]["coco_rle"] == instance["coco_rle"]
    assert (second["outcome"], second["error"]["code"], second["error"]["field"]) == ("error", 3, "image")
    assert third["result"]["instances"][0]["box"]["x1"] == 8
