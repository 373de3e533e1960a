"""Which rectangles of a task get masks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hiseg.api.json_reader import read_json
from hiseg.core.errors import HisegError, InvalidRequest, TooLarge
from hiseg.transports.http.label_studio.labelling import Labelling, read_labelling
from hiseg.transports.http.label_studio.tasks import LIMITS, Params, PredictIn, Task, rectangles_of

LABELLING = read_labelling(
    '<View><Image name="photo" value="$image"/><BrushLabels name="mask" toName="photo"><Label value="p"/>'
    "</BrushLabels></View>",
    "label_config",
)


def region(x: float, kind: str = "rectanglelabels", to_name: str = "photo", **value: Any) -> dict[str, Any]:
    return {"type": kind, "to_name": to_name, "value": {"x": x, "y": 0, "width": 1, "height": 1, **value}}


def read(
    task: dict[str, Any], params: dict[str, Any] | None = None, labelling: Labelling = LABELLING
) -> tuple[dict[tuple[str, int], list[float]], list[str]]:
    """Where the rectangles of each image begin, and the notes."""
    given_params = None if params is None else Params.model_validate(params)
    images, notes = rectangles_of(Task.model_validate({"data": {}} | task), given_params, labelling, max_boxes=100)
    return {(each.image, each.item): [drawn.rectangle.x for drawn in each.read()[0]] for each in images}, notes


def chosen(task: dict[str, Any], params: dict[str, Any] | None = None) -> list[float]:
    (found,) = read(task, params)[0].values()
    return found


ANNOTATED = {
    "annotations": [
        {"result": [region(1)]},
        {"result": [region(2), region(3, "rectangle"), region(4, "ellipselabels"), region(5, to_name="other")]},
        {"result": [region(6)], "was_cancelled": True},
        {"result": []},
    ],
    "predictions": [{"result": [region(7)]}],
}


def test_the_latest_annotation_that_has_any() -> None:
    assert chosen(ANNOTATED) == [2, 3]


def test_else_the_latest_prediction() -> None:
    assert chosen(ANNOTATED | {"annotations": None}) == [7]
    assert chosen({}) == []


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"drafts": [{"result": [region(8)]}]}, [8]),
        ({"drafts": [{"result": []}]}, [2, 3]),
        ({"drafts": [17, 18]}, [2, 3]),
        ({"annotations": [{"id": 1}], "predictions": [{"result": None}, {"result": [region(9)]}]}, [9]),
        ({"annotations": [1, 2]}, [7]),
        ({"annotations": [{"result": [None, 5, "x", region(1)]}]}, [1]),
        ({"annotations": [{"result": [{"type": None}, {"value": None}, region(1)]}]}, [1]),
        ({"annotations": [], "predictions": [], "completions": [{"result": [region(4)]}]}, []),
        (
            {
                "annotations": [
                    {"result": [region(1)], "created_at": "2026-05-01T00:00:00Z", "updated_at": "2026-05-09T00:00:00Z"},
                    {"result": [region(2)], "created_at": "2026-05-02T00:00:00Z", "updated_at": "2026-05-02T00:00:00Z"},
                ]
            },
            [1],
        ),
        ({"annotations": [{"result": [{"type": "rectangle", "value": region(1)["value"]}]}]}, [1]),
    ],
)
def test_whatever_else_a_task_has(task: dict[str, Any], expected: list[float]) -> None:
    assert chosen(ANNOTATED | task) == expected


def test_tasks_of_old_exports() -> None:
    assert chosen({"completions": [{"result": [region(4)]}]}) == [4]


def test_of_an_interactive_request_what_was_just_drawn() -> None:
    assert chosen(ANNOTATED, {"context": {"result": [region(8)]}}) == [8]
    assert chosen(ANNOTATED, {"context": None}) == [2, 3]
    assert chosen(ANNOTATED, {"context": {}}) == [2, 3]
    assert chosen(ANNOTATED, {"context": {"result": []}}) == [2, 3]
    assert chosen(ANNOTATED, {"context": {"result": [region(8), region(9, "keypointlabels")]}}) == [8]


@pytest.mark.parametrize("kind", ["keypointlabels", "keypoint", "ellipselabels", "polygonlabels", "brushlabels"])
def test_what_was_just_drawn_must_be_a_rectangle(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=f"only rectangles become masks.*{kind}") as raised:
        chosen(ANNOTATED, {"context": {"result": [region(8, kind)]}})
    assert raised.value.field == "params.context"


def test_other_shapes_are_noted() -> None:
    assert read(ANNOTATED)[1] == ["only rectangles become masks, not ellipselabels"]
    assert read({"annotations": [{"result": [region(1), region(2, "choices")]}]})[1] == []
    found, notes = read({"annotations": [{"result": [region(1, "polygonlabels"), region(2, "keypoint")]}]})
    assert found == {("photo", 0): []}
    assert notes == ["the task has no rectangles; polygonlabels, keypoint become no masks"]
    assert read({})[1] == ["the task has no rectangles"]
    elsewhere = {"annotations": [{"result": [region(1, to_name="other")]}]}
    assert read(elsewhere)[1] == ["the task has no rectangles on an image that has a brush: photo"]


def test_more_rectangles_than_are_taken_are_not_even_read() -> None:
    wrong = {"type": "rectangle", "value": {}}
    with pytest.raises(TooLarge) as raised:
        chosen({"annotations": [{"result": [wrong] * 101}]})
    assert (raised.value.field, raised.value.limit, raised.value.value) == ("boxes", 100, 101)


SEVERAL = read_labelling(
    '<View><Image name="a" valueList="$images"/><Image name="b" value="$b"/><Image name="c" value="$c"/>'
    '<BrushLabels name="mask" toName="a,b"><Label value="p"/></BrushLabels></View>',
    "label_config",
)


def test_several_images() -> None:
    result = [
        region(1, to_name="b"),
        region(2, to_name="a") | {"item_index": 2},
        region(3, to_name="a"),
        region(4, to_name="b") | {"item_index": 5},
        region(5, to_name="c"),
        region(6, to_name="a") | {"item_index": 2},
    ]
    found, _ = read({"annotations": [{"result": result}]}, labelling=SEVERAL)
    assert found == {("b", 0): [1, 4], ("a", 2): [2, 6], ("a", 0): [3]}


def test_a_task_has_few_images() -> None:
    result = [region(1, to_name="a") | {"item_index": index} for index in range(101)]
    with pytest.raises(TooLarge, match="101 images"):
        read({"annotations": [{"result": result}]}, labelling=SEVERAL)


def test_a_label_that_is_a_region_of_its_own() -> None:
    config = """<View><Image name="i" value="$i"/><Brush name="b" toName="i"/><Rectangle name="r" toName="i"/>
    <Labels name="l" toName="i"><Label value="Man" alias="m"/></Labels></View>"""
    value = region(1)["value"]
    result = [
        {"id": "x", "from_name": "r", "to_name": "i", "type": "rectangle", "value": value},
        {"id": "x", "from_name": "l", "to_name": "i", "type": "labels", "value": value | {"labels": ["m"]}},
        {"id": "y", "from_name": "r", "to_name": "i", "type": "rectangle", "value": value},
        {"id": ["y"], "type": "labels", "value": {"labels": ["m"]}},
    ]
    task = Task.model_validate({"data": {}, "annotations": [{"result": result}]})
    ((image,), _) = rectangles_of(task, None, read_labelling(config, "label_config"), 100)
    drawn, errors = image.read()
    assert not errors
    assert [(each.from_name, each.labels) for each in drawn] == [("l", ["m"]), ("r", [])]


@pytest.mark.parametrize(
    "bad", [None, 5, {}, {"data": None}, {"data": {}, "annotations": 5}, {"data": {}, "annotations": [{"result": 7}]}]
)
def test_a_task_that_is_none_does_not_cost_the_others(bad: object) -> None:
    body = {"label_config": "x", "tasks": [{"data": {}}, bad, {"data": {}}]}
    first, error, last = read_json(PredictIn, json.dumps(body).encode(), LIMITS).tasks
    assert isinstance(first, Task)
    assert isinstance(last, Task)
    assert isinstance(error, HisegError)
    with pytest.raises(InvalidRequest):
        read_json(PredictIn, json.dumps(body | {"tasks": [bad, bad]}).encode(), LIMITS)


def test_long_texts_within_lists_are_found() -> None:
    task = {"data": {"images": ["data:image/png;base64," + "A" * 4000, "/data/upload/1/a.jpg"]}}
    body = json.dumps({"label_config": "<View/>", "tasks": [task] * 300 + [None]}).encode()
    tasks = read_json(PredictIn, body, LIMITS).tasks
    assert {len(each.data["images"][0].data) for each in tasks[:300]} == {4022}
