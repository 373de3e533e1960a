"""The backend of the running service gets Label Studio's requests, and Label Studio's own library reads its answers."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
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


@pytest.mark.parametrize(("form", "turned"), [("JPEG", True), ("PNG", True), ("WEBP", False)])
def test_rectangles_lie_on_the_image_as_the_browser_shows_it(backend: httpx.Client, form: str, turned: bool) -> None:
    """Browsers turn a WebP as little as its writer did."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    with PIL.Image.open(SAMPLE) as sample:
        sample.save(file, form, exif=exif, quality=90)
    image = f"data:image/{form.lower()};base64," + base64.b64encode(file.getvalue()).decode()
    (result,) = backend.post("/predict", json=question(image, SAMPLE_BOXES[0])).json()["results"]
    (mask,) = result["result"]
    size = mask["original_width"], mask["original_height"]
    assert size == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
    assert "notes" not in result


def test_interactive_requests_get_what_was_just_drawn(backend: httpx.Client) -> None:
    context = {"result": [region(SAMPLE_BOXES[1], "no such label")]}
    body = question("/data/local-files/?d=people.jpg", *SAMPLE_BOXES, params={"context": context})
    (result,) = backend.post("/predict", json=body).json()["results"]
    (found,) = result["result"]
    assert found["value"]["brushlabels"] == ["Person"]
    assert (found["from_name"], found["to_name"], found["type"]) == ("mask", "photo", "brushlabels")


def test_several_tasks(backend: httpx.Client) -> None:
    one, other = question("/data/local-files/?d=people.jpg", SAMPLE_BOXES[0]), question("/data/upload/1/people.jpg")
    body = one | {"tasks": one["tasks"] + other["tasks"]}
    answer = backend.post("/predict", json=body)
    assert [len(result["result"]) for result in answer.json()["results"]] == [1, 0]


def test_a_task_that_is_wrong_does_not_cost_the_others(backend: httpx.Client) -> None:
    good = question("/data/upload/1/people.jpg", *SAMPLE_BOXES)
    wrong = [
        question("https://example.com/a.jpg", SAMPLE_BOXES[0])["tasks"][0],
        question("/data/upload/1/nobody.jpg", SAMPLE_BOXES[0])["tasks"][0],
        question("data:image/gif;base64,R0lGODlhAQABAA==", SAMPLE_BOXES[0])["tasks"][0],
        question("/data/local-files/?d=people.jpg", [5, 5, 5, 9])["tasks"][0],
        question("/data/local-files/?d=people.jpg", *[SAMPLE_BOXES[0]] * 101)["tasks"][0],
        {"id": 7},
        None,
    ]
    tasks = good["tasks"] + wrong + good["tasks"]
    answer = backend.post("/predict", json=good | {"tasks": tasks})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [len(result["result"]) for result in results] == [2, *[0] * len(wrong), 2]
    for index, result in enumerate(results[1:-1], start=1):
        assert result["error"].startswith(f"tasks[{index}]: ")
        assert result["score"] == 0
    assert not any("error" in result for result in (results[0], results[-1]))
    # The masks of all tasks have one label each, and those of the same task are the same.
    assert [region["value"] for region in results[0]["result"]] == [region["value"] for region in results[-1]["result"]]


def test_data_without_the_image_says_what_it_has(backend: httpx.Client) -> None:
    body = question("x", SAMPLE_BOXES[0])
    body["tasks"][0]["data"] = {"picture": "/data/upload/1/people.jpg"}
    problem = backend.post("/predict", json=body).json()
    assert problem["detail"] == "tasks[0]: data.image is missing; the task's data has picture"
    assert problem["field"] == "tasks[0].data.image"


def test_a_request_of_nothing_but_wrong_tasks_is_an_error(backend: httpx.Client) -> None:
    body = question("https://example.com/a.jpg")
    problem = backend.post("/predict", json=body | {"tasks": body["tasks"] * 3})
    assert (problem.status_code, problem.json()["field"]) == (422, "tasks[0].data.image")


def test_a_rectangle_that_is_wrong_does_not_cost_the_others(backend: httpx.Client) -> None:
    body = question("/data/upload/1/people.jpg", SAMPLE_BOXES[0], *[[5, 5, 5, 9], [2000, 1, 2010, 9]], SAMPLE_BOXES[1])
    lost = region([5, 5, 9, 9])
    del lost["value"]["x"]
    body["tasks"][0]["annotations"][0]["result"].insert(1, lost)
    (result,) = backend.post("/predict", json=body).json()["results"]
    whole = backend.post("/predict", json=question("/data/upload/1/people.jpg", *SAMPLE_BOXES)).json()["results"][0]
    assert [found["value"] for found in result["result"]] == [found["value"] for found in whole["result"]]
    notes = "\n".join(result["notes"])
    assert "boxes[1]: x: it is missing" in notes
    assert "boxes[2], the region 'abc', is empty" in notes
    assert "boxes[3], the region 'abc', lies outside the image" in notes
    assert "notes" not in whole


ALIASES = """<View><Image name="photo" valueList="$photos"/>
<RectangleLabels name="box" toName="photo"><Label value="Person" alias="p"/><Label value="Soldier" alias="s"/>
</RectangleLabels><View><BrushLabels name="mask" toName="photo"><Label value="Person"/>
<Label value="Soldier" alias="soldier"/></BrushLabels></View></View>"""
SEPARATE = """<View><Image name="photo" value="$image"/><Rectangle name="box" toName="photo"/>
<Brush name="mask" toName="photo"/><Labels name="who" toName="photo"><Label value="Man" alias="m"/></Labels></View>"""


def checked(tools: Callable[..., str], folder: Path, config: str, answer: httpx.Response) -> int:
    """How many masks there are, after Label Studio's own library has checked and decoded them."""
    assert answer.status_code == 200, answer.text
    (folder / "answer.json").write_bytes(answer.content)
    (folder / "config.xml").write_text(config)
    tools("read_prediction.py", folder / "config.xml", folder / "answer.json", folder / "masks.npz")
    with np.load(folder / "masks.npz") as masks:
        return sum(mask.any() for mask in masks.values())


def test_aliases_and_several_images(backend: httpx.Client, tools: Callable[..., str], tmp_path: Path) -> None:
    body = question("", SAMPLE_BOXES[0]) | {"label_config": ALIASES}
    task = body["tasks"][0]
    task["data"] = {"photos": ["https://example.com/a.jpg", "/data/upload/1/people.jpg", "/x/data/upload/1/people.jpg"]}
    task["annotations"][0]["result"] = [
        region(SAMPLE_BOXES[0], "s") | {"item_index": 2},
        region(SAMPLE_BOXES[1], "p") | {"item_index": 1, "image_rotation": 90},
        region(SAMPLE_BOXES[1], "p"),
    ]
    answer = backend.post("/predict", json=body)
    assert checked(tools, tmp_path, ALIASES, answer) == 2
    (result,) = answer.json()["results"]
    found = [(each["item_index"], each["image_rotation"], each["value"]["brushlabels"]) for each in result["result"]]
    assert found == [(2, 0, ["soldier"]), (1, 90, ["Person"])]
    assert ["data.photos[0]" in note for note in result["notes"]] == [True]


def test_labels_of_a_tag_of_their_own(backend: httpx.Client, tools: Callable[..., str], tmp_path: Path) -> None:
    body = question("/data/upload/1/people.jpg", SAMPLE_BOXES[0]) | {"label_config": SEPARATE}
    drawn = body["tasks"][0]["annotations"][0]["result"][0]
    del drawn["value"]["rectanglelabels"]
    drawn["type"] = "rectangle"
    labels = drawn | {"from_name": "who", "type": "labels", "value": drawn["value"] | {"labels": ["m"]}}
    body["tasks"][0]["annotations"][0]["result"] = [drawn, labels]
    answer = backend.post("/predict", json=body)
    assert checked(tools, tmp_path, SEPARATE, answer) == 2
    mask, label = answer.json()["results"][0]["result"]
    assert (mask["from_name"], mask["type"], set(mask["value"])) == ("mask", "brush", {"format", "rle"})
    assert (label["from_name"], label["type"], label["value"]["labels"], label["id"]) == (
        "who",
        "labels",
        ["m"],
        mask["id"],
    )


def test_a_label_that_masks_do_not_have_is_noted(backend: httpx.Client) -> None:
    body = question("/data/upload/1/people.jpg", SAMPLE_BOXES[0])
    body["tasks"][0]["annotations"][0]["result"] = [region(SAMPLE_BOXES[0], "Tree")]
    (result,) = backend.post("/predict", json=body).json()["results"]
    assert result["notes"] == ["boxes[0]: there is no label 'Tree' for masks; 'Person' is taken"]


def test_what_is_no_number_is_a_wrong_rectangle(backend: httpx.Client) -> None:
    body = json.dumps(question("/data/upload/1/people.jpg", *SAMPLE_BOXES))
    (result,) = backend.post("/predict", content=body.replace('"x": ', '"x": NaN, "z": ', 1)).json()["results"]
    assert len(result["result"]) == 1
    assert result["notes"][0].startswith("boxes[0]: x")


def test_a_smart_keypoint_is_refused(backend: httpx.Client) -> None:
    point = {"type": "keypointlabels", "to_name": "photo", "value": {"x": 5, "y": 5, "keypointlabels": ["Person"]}}
    body = question("/data/upload/1/people.jpg", params={"context": {"result": [point]}})
    problem = backend.post("/predict", json=body)
    assert (problem.status_code, problem.json()["field"]) == (422, "tasks[0].params.context")
    assert "only rectangles become masks" in problem.json()["detail"]


def test_the_model_that_is_wanted(backend: httpx.Client) -> None:
    names = backend.get("/versions").json()["versions"]
    assert backend.post("/versions", json={"project": "1.17"}).json()["versions"] == names
    default = backend.post("/setup", json={"schema": CONFIG}).json()["model_version"]
    body = question("/data/upload/1/people.jpg", SAMPLE_BOXES[0])
    for wanted, expected in [*zip(names, names, strict=True), *((no, default) for no in (None, "", "undefined", 5))]:
        answer = backend.post("/predict", json=body | {"model_version": wanted}).json()
        assert (answer["model_version"], answer["results"][0]["model_version"]) == (expected, expected)


def test_training_is_refused_and_events_are_taken(backend: httpx.Client) -> None:
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 1, "label_config": CONFIG}, "task": {}, "annotation": {}}
    answer = backend.post("/webhook", json=event)
    assert (answer.status_code, answer.json()) == (200, {"status": "Unknown event"})
    for path, body in (("/webhook", {"action": "START_TRAINING"}), ("/train", {"annotations": []})):
        problem = backend.post(path, json=body)
        assert problem.status_code == 422
        assert "aren't trained" in problem.json()["detail"]


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
        (question("/data/local-files/?d=people.jpg", [5, 5, 1, 9]), 422, "tasks[0].boxes[0].width"),
        (question("/data/local-files/?d=people.jpg", [2000, 5, 2100, 9]), 422, "tasks[0].boxes[0]"),
        (question("x") | {"label_config": None}, 422, "label_config"),
        (question("x") | {"label_config": ""}, 422, "label_config"),
        (question("x") | {"tasks": [None]}, 422, "tasks[0]"),
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
    assert (problem.status_code, problem.json()["field"]) == (422, "tasks[0].boxes[0].original_width")


def test_metrics_count_the_requests(backend: httpx.Client) -> None:
    assert backend.post("/predict", json=question("/data/local-files/?d=people.jpg")).status_code == 200
    assert 'hiseg_requests_total{outcome="ok",transport="label_studio"}' in backend.get("/metrics").text
