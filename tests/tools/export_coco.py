"""Lets annotation tools write a square person as COCO in their own ways.

    python export_coco.py supervision|datumaro|label_studio FOLDER

The image is 50 x 40, the person its columns 5 to 24 and rows 10 to 29. The path of the COCO file is printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 50, 40
RING = [5, 10, 25, 10, 25, 30, 5, 30]
CONFIG = """<View><Image name="image" value="$image"/>
<PolygonLabels name="label" toName="image"><Label value="Person"/></PolygonLabels></View>"""


def by_supervision(folder: Path) -> Path:
    import supervision

    image, mask = str(folder / "a.png"), np.zeros((1, HEIGHT, WIDTH), dtype=bool)
    Image.new("RGB", (WIDTH, HEIGHT)).save(image)
    mask[0, 10:30, 5:25] = True
    people = supervision.Detections(np.array([[5.0, 10, 25, 30]]), mask=mask, class_id=np.array([0]))
    written = folder / "supervision.json"
    supervision.DetectionDataset(["Person"], [image], {image: people}).as_coco(annotations_path=str(written))
    return written


def by_datumaro(folder: Path) -> Path:
    import datumaro
    from datumaro.components.annotation import Polygon

    image = datumaro.Image.from_numpy(np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8))
    item = datumaro.DatasetItem("day 1/a", subset="train", media=image, annotations=[Polygon(RING, label=0)])
    datumaro.Dataset.from_iterable([item], categories=["person"]).export(str(folder), "coco_instances")
    return folder / "annotations" / "instances_train.json"


def by_label_studio(folder: Path) -> Path:
    from label_studio_sdk.converter import Converter

    points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in zip(RING[::2], RING[1::2], strict=True)]
    value = {"points": points, "polygonlabels": ["Person"]}
    region = {"from_name": "label", "to_name": "image", "type": "polygonlabels", "value": value}
    region |= {"original_width": WIDTH, "original_height": HEIGHT}
    task = {"id": 1, "data": {"image": "/data/upload/1/a.png"}, "annotations": [{"id": 1, "result": [region]}]}
    tasks, out = folder / "tasks.json", folder / "out"
    tasks.write_text(json.dumps([task]))
    converter = Converter(CONFIG, str(folder), download_resources=False)
    converter.convert_to_coco(str(tasks), str(out), output_image_dir=str(out / "images"), is_dir=False)
    return out / "result.json"


BY: dict[str, Callable[[Path], Path]] = {
    "supervision": by_supervision,
    "datumaro": by_datumaro,
    "label_studio": by_label_studio,
}

if __name__ == "__main__":
    print(BY[sys.argv[1]](Path(sys.argv[2])))
