"""The backend of the running service gets Label Studio's requests, and Label Studio's own library reads its answers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.serving import serving

CONFIG = """<View><Image name="photo" value="$image"/>
<RectangleLabels name="box" toName="photo"><Label value="Person"/><Label value="Soldier"/></RectangleLabels>
<BrushLabels name="mask" toName="photo"><Label value="Person"/><Label value="Soldier"/></BrushLabels></View>"""
WIDTH, HEIGHT = 949, 512


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that shares folders with Label Studio."""
    folder = tmp_path_factory.mktemp("media")
    (folder / "upload" / "1").mkdir(parents=True)
    (folder / "upload" / "1" / "people.jpg").write_bytes(SAMPLE.read_bytes())
    with (
        serving(label_studio_media_root=folder, label_studio_document_root=SAMPLE.parent) as running,
        httpx.Client(base_url=running.url, timeout=60) as session,
    ):
        yield session


def region(box: list[float], label: str = "Soldier") -> dict[str, Any]:
    x1, y1, x2, y2 = box
    value = {
        "x": 100 * x1 / WIDTH,
        "y": 100 * y1 / HEIGHT,
        "width": 100 * (x2 - x1) / WIDTH,
        "height": 100 * (y2 - y1) / HEIGHT,
        "rotation": 0,
        "rectanglelabels": [label],
    }
    return {
        "id": "abc",
        "from_name": "box",
        "to_name": "photo",
        "type": "rectanglelabels",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
    }


def question(image: str, *boxes: list[float], **more: Any) -> dict[str, Any]:
    """As Label Studio writes it."""
    annotation = {"id": 5, "result": [region(box) for box in boxes], "was_cancelled": False, "completed_by": 1}
    return {
        "tasks": [{"id": 1, "data": {"image": image}, "annotations": [annotation], "predictions": []}],
        "model_version": None,
        "project": "1.1700000000",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": None},
        **more,
    }


@pytest.fixture(scope="module")
def expected(backend: httpx.Client) -> list[dict[str, Any]]:
    """The masks by `/v1/segment`."""
    boxes = ";".join(",".join(map(str, box)) for box in SAMPLE_BOXES)
    headers = {"content-type": "image/jpeg"}
    answer = backend.post("/v1/segment", params={"boxes": boxes}, content=SAMPLE.read_bytes(), headers=headers)
    return list(answer.json()["instances"])


def test_masks_are_those_of_v1(
    backend: httpx.Client, expected: list[dict[str, Any]], tools: Callable[..., str], tmp_path: Path
) -> None:
    answer = backend.post("/predict", json=question("/data/upload/1/people.jpg", *SAMPLE_BOXES))
    assert answer.status_code == 200, answer.text
    (tmp_path / "answer.json").write_bytes(answer.content)
    (tmp_path / "config.xml").write_text(CONFIG)
    # Label Studio's library says whether the predictions fit the project, and decodes them.
    tools("read_prediction.py", tmp_path / "config.xml", tmp_path / "answer.json", tmp_path / "masks.npz")
    (result,) = answer.json()["results"]
    assert result["model_version"] == "hiseg_b0 1"
    assert result["score"] == pytest.approx(np.mean([instance["score"] for instance in expected]))
    assert [region["value"]["brushlabels"] for region in result["result"]] == [["Soldier"]] * 2
    assert len({region["id"] for region in result["result"]}) == 2
    with np.load(tmp_path / "masks.npz") as masks:
        for index, instance in enumerate(expected):
            # Per cents are not exact; of half a million pixels a handful may change sides.
            wanted, found = coco_mask.decode(instance["mask"]) > 0, masks[str(index)]
            assert found.shape == (HEIGHT, WIDTH)
            assert (found & wanted).sum() / (found | wanted).sum() > 0.9999


@pytest.mark.parametrize(
    "image",
    ["/data/local-files/?d=people.jpg", "data:image/jpeg;base64," + base64.b64encode(SAMPLE.read_bytes()).decode()],
    ids=["local-files", "data"],
)
def test_wherever_the_image_is_masks_are_the_same(backend: httpx.Client, image: str) -> None:
    answers = [
        backend.post("/predict", json=question(where, *SAMPLE_BOXES)).json()["results"][0]["result"]
        for where in (image, "/data/upload/1/people.jpg")
    ]
    found, expected = ([region["value"]["rle"] for region in regions] for regions in answers)
    assert found == expected


def test_interactive_requests_get_what_was_just_drawn(backend: httpx.Client) -> None:
    context = {"result": [region(SAMPLE_BOXES[1], "no such label")]}
    body = question("/data/local-files/?d=people.jpg", *SAMPLE_BOXES, params={"context": context})
    (result,) = backend.post("/predict", json=body).json()["results"]
    (found,) = result["result"]
    assert found["value"]["brushlabels"] == ["Person"]
    assert (found["from_name"], found["to_name"], found["type"]) == ("mask", "photo", "brushlabels")


def test_boxes_with_nobody_in_them_get_no_region(backend: httpx.Client) -> None:
    body = question("/data/local-files/?d=people.jpg", [2000, 100, 2100, 200])
    (result,) = backend.post("/predict", json=body).json()["results"]
    assert (result["result"], result["score"]) == ([], 0)


def test_several_tasks(backend: httpx.Client) -> None:
    one, other = question("/data/local-files/?d=people.jpg", SAMPLE_BOXES[0]), question("/data/upload/1/people.jpg")
    body = one | {"tasks": one["tasks"] + other["tasks"]}
    answer = backend.post("/predict", json=body)
    assert [len(result["result"]) for result in answer.json()["results"]] == [1, 0]


def test_setup_and_health(backend: httpx.Client) -> None:
    assert backend.get("/health").json() == {"status": "UP"}
    body = {"project": "1.17", "schema": CONFIG, "hostname": "http://localhost", "access_token": "secret"}
    assert backend.post("/setup", json=body).json() == {"model_version": "hiseg_b0 1"}
    refusal = backend.post("/setup", json=body | {"schema": "<View/>"})
    assert (refusal.status_code, refusal.json()["field"]) == (422, "schema")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "tasks"),
        (question("x") | {"label_config": "<View/>"}, 422, "label_config"),
        (question("https://example.com/a.jpg"), 422, "tasks[0].data.image"),
        (question("/data/upload/../../etc/passwd"), 422, "tasks[0].data.image"),
        (question("data:image/gif;base64,R0lGODlhAQABAA=="), 415, "tasks[0].image"),
        (question("/data/local-files/?d=README.md"), 415, "tasks[0].image"),
        (question("/data/local-files/?d=people.jpg", [5, 5, 5, 9]), 422, "tasks[0].boxes[0]"),
        (question("/data/local-files/?d=people.jpg", [5, 5, 1, 9]), 422, "tasks[0].width"),
        (question("/data/local-files/?d=people.jpg", *[[1.0, 1.0, 9.0, 9.0]] * 101), 413, "tasks[0].boxes"),
    ],
)
def test_bad_requests_are_named(backend: httpx.Client, body: dict[str, Any], status: int, field: str) -> None:
    problem = backend.post("/predict", json=body)
    assert (problem.status_code, problem.json()["field"]) == (status, field)


def test_what_files_of_other_kinds_begin_with_is_not_told(backend: httpx.Client) -> None:
    for reference, value in (
        ("/data/local-files/?d=README.md", None),
        ("data:image/gif;base64,R0lGODlhAQABAA==", "47"),
    ):
        problem = backend.post("/predict", json=question(reference)).json()
        assert problem["title"] == "Unsupported image type"
        assert problem.get("value", "")[:2] == (value or "")


def test_big_brush_masks_of_annotators_are_taken(backend: httpx.Client) -> None:
    body = question("data:image/jpeg;base64," + base64.b64encode(SAMPLE.read_bytes()).decode(), *SAMPLE_BOXES)
    mask = {"type": "brushlabels", "value": {"format": "rle", "rle": [7] * 2_000_000, "brushlabels": ["Person"]}}
    body["tasks"][0]["annotations"][0]["result"].append(mask)
    answer = backend.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"][0]["result"]) == 2


def test_labels_are_not_repeated_at_any_length(backend: httpx.Client) -> None:
    body = question("/data/local-files/?d=people.jpg", *SAMPLE_BOXES)
    body["label_config"] = CONFIG.replace("Soldier", "x" * 40_000)
    problem = backend.post("/predict", json=body)
    assert (problem.status_code, problem.json()["field"], problem.json()["limit"]) == (422, "label_config", 200)
    assert len(problem.content) < 1000


def test_sizes_that_no_image_has(backend: httpx.Client) -> None:
    body = question("/data/local-files/?d=people.jpg", SAMPLE_BOXES[0])
    body["tasks"][0]["annotations"][0]["result"][0]["original_width"] = 10**400
    problem = backend.post("/predict", json=body)
    assert (problem.status_code, problem.json()["field"]) == (422, "tasks[0].original_width")


def test_metrics_count_the_requests(backend: httpx.Client) -> None:
    assert backend.post("/predict", json=question("/data/local-files/?d=people.jpg")).status_code == 200
    assert 'hiseg_requests_total{outcome="ok",transport="label_studio"}' in backend.get("/metrics").text
