"""Files like upstream's releases, copied into a repository and served by the real service."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import HISEG
from benchmarks.harness.serving import serving
from hiseg.engines.contract import variant_of_name
from tests.service.engines.upstream_files import Generation, UpstreamFile

FILES = {
    "hiseg_b0": UpstreamFile(Generation.LOGITS, (480, 640), (128, 96)),
    "best_model_b1_640x640_80x60_0.8551_dil1": UpstreamFile(Generation.LOGITS, (640, 640), (160, 120)),
    "hiseg_b3": UpstreamFile(Generation.BINARY, (480, 640), (128, 96)),
    "hiseg_b7": UpstreamFile(Generation.BINARY, (640, 640), (256, 192)),
}
VARIANTS = {"b0": 0.97, "b1": 0.97, "b3": 0.93, "b7": 0.95}
"""The least IoU: masks of 0 and 1 have no more to say than where their cells are."""
SIZE = (300, 400)
BOXES = [(30, 40, 170, 260), (220, 20, 390, 290)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    repository = tmp_path_factory.mktemp("seed")
    for name, file in FILES.items():
        file.save(repository / name / "1" / "model.onnx")
    command = (HISEG, "serve", "--port", "0", "--grpc-port", "0", "--repository", repository)
    with serving(command) as server, httpx.Client(base_url=server.url, timeout=60) as session:
        yield session


def people() -> list[np.ndarray]:
    """An ellipse and an upright bar with a notch, bool ``[300, 400]`` each."""
    left, right = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    cv2.ellipse(left, (100, 150), (60, 100), 0, 0, 360, 1, -1)
    cv2.rectangle(right, (235, 35), (375, 275), 1, -1)
    cv2.rectangle(right, (290, 35), (320, 150), 0, -1)
    return [left > 0, right > 0]


def picture() -> bytes:
    """Them in red before blue, as PNG."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[:] = (20, 40, 200)
    for person in people():
        pixels[person] = (230, 10, 10)
    written = io.BytesIO()
    PIL.Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def label_map(client: httpx.Client, **query: str) -> np.ndarray:
    """What the service draws: 0 for nobody, else the number of the box."""
    headers = {"content-type": "image/png", "accept": "image/png"}
    answer = client.post("/v1/segment", params=query, content=picture(), headers=headers)
    assert answer.status_code == 200, answer.text
    with PIL.Image.open(io.BytesIO(answer.content)) as drawn:
        return np.asarray(drawn)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_persons_mask_is_right(client: httpx.Client, variant: str) -> None:
    """The image has another shape than either canvas: it must be stretched, and the boxes with it."""
    boxes = ";".join(",".join(map(str, box)) for box in BOXES)
    labels = label_map(client, variant=variant, boxes=boxes)
    for number, person in enumerate(people(), start=1):
        assert iou(labels == number, person) > VARIANTS[variant], f"{variant}, person {number}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_everybody_at_once_is_right(client: httpx.Client, variant: str) -> None:
    everybody = np.logical_or.reduce(people())
    assert iou(label_map(client, variant=variant, mode="binary") > 0, everybody) > 0.98


def test_models_say_what_they_run_as(client: httpx.Client) -> None:
    served = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert {name: model["variant"] for name, model in served.items()} == dict(zip(FILES, VARIANTS, strict=True))
    for name, file in FILES.items():
        assert served[name]["canvases"] == [list(file.canvas)]
        assert served[name]["mask_size"] == list(file.mask)


def test_no_boxes_give_no_masks(client: httpx.Client) -> None:
    answer = client.post("/v1/segment?boxes=", content=picture(), headers={"content-type": "image/png"})
    assert answer.json()["instances"] == []


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("hiseg_b0", "b0"),
        ("best_model_b1_640x640_80x60_0.8551_dil1", "b1"),
        ("hiseg_b0_trt", "b0"),
        ("b7", "b7"),
        ("b7-640x640", "b7"),
        ("people_large", "large"),
        ("people", "people"),
        ("web0_x", "x"),
    ],
)
def test_the_variant_in_a_name(name: str, variant: str) -> None:
    assert variant_of_name(name) == variant


def test_a_path_like_the_releases(tmp_path: Path) -> None:
    """The file under its own name, checked before it is put anywhere."""
    from hiseg.models.inspect import inspect_model

    report = inspect_model(
        UpstreamFile(mask=(16, 12), canvas=(48, 64)).save(tmp_path / "best_model_b1_80x60_0.8551_dil1.onnx")
    )
    assert report.fits
    assert {fact.what: fact.value for fact in report.facts}["variant"] == "b1"
