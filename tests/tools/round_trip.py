"""Converts a result for another library, lets it store the masks in its own way, and writes what it returns.

    python round_trip.py supervision|fiftyone|datumaro ANSWER.json FOLDER MASKS.npz

The answer is HTTP's. Arrays in MASKS.npz: ``masks`` bool [N, H, W], ``scores`` [N] and ``boxes`` [N, 4].
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hiseg.client.http import to_result
from hiseg.client.result import Result

Arrays = dict[str, np.ndarray]


def by_supervision(result: Result, folder: Path) -> Arrays:
    import supervision

    detections = result.to_supervision()
    assert isinstance(detections, supervision.Detections)
    assert (detections.class_id == 0).all()
    assert len(dataclasses.replace(result, instances=()).to_supervision()) == 0
    scene = np.zeros((result.height, result.width, 3), np.uint8)
    drawn = supervision.MaskAnnotator(opacity=1).annotate(scene, detections)
    np.testing.assert_array_equal(drawn.any(axis=2), detections.mask.any(axis=0))
    masks = [
        supervision.rle_to_mask(supervision.mask_to_rle(mask, compressed=True), (result.width, result.height))
        for mask in detections.mask
    ]
    return {"masks": np.array(masks), "scores": detections.confidence, "boxes": detections.xyxy}


def by_fiftyone(result: Result, folder: Path) -> Arrays:
    import fiftyone

    fiftyone.Dataset("people").add_sample(
        fiftyone.Sample(filepath=str(folder / "people.jpg"), hiseg=result.to_fiftyone())
    )
    # Through its database and back.
    fiftyone.load_dataset("people").reload()
    detections = fiftyone.load_dataset("people").first()["hiseg"].detections
    assert {detection.label for detection in detections} == {"person"}
    size = (result.width, result.height)
    masks = [detection.to_segmentation(frame_size=size, target=1).get_mask() == 1 for detection in detections]
    return {
        "masks": np.array(masks),
        "scores": np.array([detection.confidence for detection in detections]),
        "boxes": np.array([detection.bounding_box for detection in detections]),
    }


def by_datumaro(result: Result, folder: Path) -> Arrays:
    import datumaro

    item = result.to_datumaro("people", "people.jpg")
    dataset = datumaro.Dataset.from_iterable([item], categories=["person"])
    dataset.export(str(folder / "coco"), "coco_instances")
    (read,) = datumaro.Dataset.import_from(str(folder / "coco"), "coco_instances")
    masks = sorted((kept for kept in read.annotations if isinstance(kept, datumaro.Mask)), key=lambda mask: mask.id)
    return {
        "masks": np.array([mask.image for mask in masks]) > 0,
        "scores": np.array([float(mask.attributes["score"]) for mask in masks]),
    }


WAYS: dict[str, Callable[[Result, Path], Arrays]] = {
    "supervision": by_supervision,
    "fiftyone": by_fiftyone,
    "datumaro": by_datumaro,
}


def main(way: str, answer: str, folder: str, masks: str) -> None:
    result = to_result(json.loads(Path(answer).read_text()))
    np.savez(masks, **WAYS[way](result, Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
