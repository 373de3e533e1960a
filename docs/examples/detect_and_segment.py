"""Where boxes come from when nobody has drawn them: a detector of torchvision finds the people, hiseg their masks.

pip install torchvision        # beside hiseg; its weights, 124 MB, are downloaded by the first run
python docs/examples/detect_and_segment.py PHOTO.jpg OUT.png
"""

from __future__ import annotations

import sys

import torch
from PIL import Image, ImageOps
from torchvision.models import detection

from hiseg import segment

_, photo, output = sys.argv
image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")

weights = detection.FCOS_ResNet50_FPN_Weights.DEFAULT
detector = detection.fcos_resnet50_fpn(weights=weights).eval()
with torch.inference_mode():
    found = detector([weights.transforms()(image)])[0]
is_person = found["labels"] == weights.meta["categories"].index("person")
boxes = found["boxes"][is_person & (found["scores"] > 0.7)]

result = segment(image, boxes)
Image.fromarray(result.overlay(image)).save(output)
print(f"{len(result.instances)} people")
