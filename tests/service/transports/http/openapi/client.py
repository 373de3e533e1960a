"""A program on the package ``hiseg_client`` that openapi-python-client makes of the document; it prints what it got."""

# mypy: ignore-errors

import base64
import io
import json
import sys
from pathlib import Path

from hiseg_client import AuthenticatedClient, Client
from hiseg_client.api.about import info, models
from hiseg_client.api.open_inference_protocol import kserve_model, kserve_model_infer
from hiseg_client.api.operations import readyz
from hiseg_client.api.segment import segment, segment_png
from hiseg_client.models import (
    CocoRle,
    ImageMaskFormat,
    InferIn,
    JsonMaskFormat,
    JsonOptions,
    JsonRequest,
    KserveError,
    MultipartRequest,
    Problem,
    Reason,
    SegmentOut,
    TensorIn,
)
from hiseg_client.types import File

url, key, *paths = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)
photos = [Path(path) for path in paths]
photo = photos[0].read_bytes()
boxes = [[22.0, 15.0, 365.0, 512.0]]
query = "22,15,365,512"


def file(data: bytes, name: str | None = None) -> File:
    return File(io.BytesIO(data), name, "image/jpeg" if name else None)


def area(answer: SegmentOut) -> int:
    assert isinstance(answer, SegmentOut), answer
    assert isinstance(answer.instances[0].mask, CocoRle)
    return answer.instances[0].area


areas = [
    area(segment.sync(client=client, body=JsonRequest(image=base64.b64encode(photo).decode(), boxes=boxes))),
    area(
        segment.sync(
            client=client,
            body=MultipartRequest(image=file(photo, photos[0].name), request=JsonOptions(boxes=boxes, threshold=0.5)),
        )
    ),
    area(
        segment.sync(
            client=client,
            body=MultipartRequest(
                image=file(photo, photos[0].name),
                boxes=query,
                normalized=False,
                mask_format=JsonMaskFormat.COCO_RLE,
                threshold=0.5,
            ),
        )
    ),
    *(area(segment.sync(client=client, body=file(path.read_bytes()), boxes=query)) for path in photos),
]
formats = [
    segment.sync(client=client, body=file(photo), boxes=query, mask_format=each).instances[0].mask.format_
    for each in JsonMaskFormat
]
pictures = {
    each: segment_png.sync(client=client, body=file(photo), boxes=query, mask_format=each).payload.read()[1:4].decode()
    for each in ImageMaskFormat
}
wrong = segment.sync(client=client, body=file(photo), boxes="1,2,3")
assert isinstance(wrong, Problem)
assert wrong.reason is Reason.INVALID_REQUEST
no_key = info.sync(client=Client(base_url=url))
assert isinstance(no_key, Problem)
served = models.sync(client=client).models[0]
tensors = [
    TensorIn(name="image", shape=[1], datatype="BYTES", data=[base64.b64encode(photo).decode()]),
    TensorIn(name="boxes", shape=[1, 4], datatype="FP32", data=boxes[0]),
]
inferred = kserve_model_infer.sync(served.name, client=client, body=InferIn(inputs=tensors))
unknown = kserve_model.sync("nobody", client=client)
assert isinstance(unknown, KserveError)
print(
    json.dumps(
        {
            "areas": areas,
            "formats": formats,
            "pictures": pictures,
            "wrong": [wrong.status, wrong.reason, wrong.field, wrong.limit, wrong.value],
            "no_key": [no_key.status, no_key.reason],
            "boxes": info.sync(client=client).limits["boxes"],
            "ready": readyz.sync(client=client).engines[served.name],
            "outputs": [output.name for output in inferred.outputs],
            "unknown": unknown.reason,
        }
    )
)
