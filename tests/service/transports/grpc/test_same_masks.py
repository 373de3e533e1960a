"""The real model in the real service gives the same masks however the image was sent."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import cv2
import grpc.aio
import httpx
import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco

from benchmarks.harness.paths import SAMPLE_BOXES
from benchmarks.harness.serving import Server
from hiseg.core.image import BoolMask, Pixels
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from tests.service.transports.grpc.harness import CLIENT_OPTIONS

BOXES = [pb.Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in SAMPLE_BOXES]


def asked(server: Server, **image: Any) -> pb.SegmentResponse:
    """The answer to one call, which must be that of a stream with the same image too."""

    async def scenario() -> pb.SegmentResponse:
        async with grpc.aio.insecure_channel(server.grpc.removeprefix("grpc://"), options=CLIENT_OPTIONS) as channel:
            stub = SegmentationServiceStub(channel)
            answer: pb.SegmentResponse = await stub.Segment(pb.SegmentRequest(boxes=BOXES, **image))
            messages = pb.SegmentStreamRequest(config={}), pb.SegmentStreamRequest(frame=pb.Frame(boxes=BOXES, **image))
            (response,) = [response async for response in stub.SegmentStream(iter(messages))]
            assert response.result.instances == answer.instances
            return answer

    return asyncio.run(scenario())


def masks(answer: pb.SegmentResponse) -> list[BoolMask]:
    found = []
    for instance in answer.instances:
        rle = instance.coco_rle
        found.append(coco.decode({"size": [rle.height, rle.width], "counts": rle.counts}).astype(np.bool_))
    return found


def iou(first: BoolMask, second: BoolMask) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.fixture(scope="module")
def pixels(photo: bytes) -> Pixels:
    """The sample photo, with even sides."""
    decoded = np.asarray(PIL.Image.open(io.BytesIO(photo)).convert("RGB"))
    return decoded[: decoded.shape[0] // 2 * 2, : decoded.shape[1] // 2 * 2]


def jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_http_and_grpc_give_the_same_masks(server: Server, client: httpx.Client, photo: bytes) -> None:
    request = {"boxes": SAMPLE_BOXES}
    files = {"image": ("photo.jpg", photo, "image/jpeg"), "request": (None, json.dumps(request), "application/json")}
    over_http = client.post("/v1/segment", files=files).raise_for_status().json()["instances"]
    over_grpc = asked(server, encoded_image=photo).instances
    assert [found["mask"]["counts"] for found in over_http] == [found.coco_rle.counts for found in over_grpc]
    assert [found["score"] for found in over_http] == [found.score for found in over_grpc]


@pytest.mark.parametrize("form", ["RGB24", "BGR24"])
def test_raw_pixels_and_a_file_without_loss_give_the_same_masks(server: Server, pixels: Pixels, form: str) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    height, width = pixels.shape[:2]
    data = (pixels if form == "RGB24" else pixels[:, :, ::-1]).tobytes()
    raw = pb.RawFrame(format=f"PIXEL_FORMAT_{form}", width=width, height=height, data=data)
    assert asked(server, raw_frame=raw).instances == asked(server, encoded_image=file.getvalue()).instances


def test_nv12_gives_the_masks_of_the_jpeg(server: Server, pixels: Pixels) -> None:
    height, width = pixels.shape[:2]
    planar = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2YUV_I420).reshape(-1)
    luma, u, v = np.split(planar, [height * width, height * width * 5 // 4])
    data = luma.tobytes() + np.stack([u, v], axis=1).tobytes()
    raw = pb.RawFrame(format=pb.PIXEL_FORMAT_NV12, width=width, height=height, data=data)
    of_nv12, of_jpeg = masks(asked(server, raw_frame=raw)), masks(asked(server, encoded_image=jpeg(pixels)))
    found = [iou(first, second) for first, second in zip(of_nv12, of_jpeg, strict=True)]
    print("IoU of NV12 and JPEG:", [round(value, 4) for value in found])
    assert min(found) >= 0.98
