"""The tensor contract without the service: one photo, its boxes, ONNX Runtime and OpenCV, nothing else.

    python docs/examples/plain_onnx.py MODEL.onnx PHOTO.jpg x1,y1,x2,y2 [x1,y1,x2,y2 ...] > masks.json

Prints COCO run-length encodings. Photos without EXIF rotation only, to keep it short.
"""

from __future__ import annotations

import json
import math
import sys

import cv2
import numpy as np
import onnxruntime as ort
from PIL import Image
from pycocotools import mask as coco_mask

model, photo, *texts = sys.argv[1:]
image = np.asarray(Image.open(photo).convert("RGB"))
height, width = image.shape[:2]
boxes = [[float(number) for number in text.split(",")] for text in texts]

session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
said = session.get_modelmeta().custom_metadata_map
canvases, extent = json.loads(said["canvases"]), json.loads(said["mask_extent"])


# The canvas that shows the photo largest and, among those, has the fewest pixels.
def scale(canvas: list[int]) -> float:
    return min(canvas[0] / height, canvas[1] / width)


best = max(scale(canvas) for canvas in canvases)
canvas = min((c for c in canvases if scale(c) >= best * 0.998), key=lambda c: c[0] * c[1])
content = round(height * scale(canvas)), round(width * scale(canvas))
shrinks = height > content[0] or width > content[1]
resized = cv2.resize(image, content[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

# images: uint8 [1, 3, H, W], the photo in the top left corner, black elsewhere.
images = np.zeros((1, 3, *canvas), dtype=np.uint8)
images[0, :, : content[0], : content[1]] = resized.transpose(2, 0, 1)

# rois: float32 [N, 5], batch index and corners in 0..1 of the canvas.
to_canvas = np.array([content[1] / width / canvas[1], content[0] / height / canvas[0]] * 2)
rois = np.concatenate([np.zeros((len(boxes), 1)), np.array(boxes) * to_canvas], axis=1).astype(np.float32)

(logits,) = session.run(["wide_masks"], {"images": images, "rois": rois})

for (x1, y1, x2, y2), (background, target, others) in zip(boxes, logits, strict=True):
    margin = target - np.maximum(background, others)
    # The logits cover the box and what is around it, which may lie beyond the image.
    across, down = (x2 - x1) * (extent - 1) / 2, (y2 - y1) * (extent - 1) / 2
    x1, y1, x2, y2 = x1 - across, y1 - down, x2 + across, y2 + down
    left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
    right, bottom = min(width, math.ceil(x2)), min(height, math.ceil(y2))
    size = right - left, bottom - top
    if (x1, y1, x2, y2) == (left, top, right, bottom):
        crop = cv2.resize(margin, size, interpolation=cv2.INTER_LINEAR)
    else:  # they begin or end inside a pixel, or outside the photo
        sx, sy = margin.shape[1] / (x2 - x1), margin.shape[0] / (y2 - y1)
        matrix = np.array([[sx, 0, (left + 0.5 - x1) * sx - 0.5], [0, sy, (top + 0.5 - y1) * sy - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(margin, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    full = np.zeros((height, width), dtype=np.uint8, order="F")
    full[top:bottom, left:right] = crop > 0
    rle = coco_mask.encode(full)
    print(json.dumps({"size": rle["size"], "counts": rle["counts"].decode()}))
