"""The images, tags and labels for masks are read from labelling configurations, and unusable ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.transports.http.label_studio.labelling import MAX_LENGTH, ImageTag, Labelling, read_labelling

USUAL = """<View>
  <!-- people -->
  <Image name="photo" value="$picture" zoom="true"/>
  <RectangleLabels name="box" toName="photo"><Label value="Person"/><Label value="Child"/></RectangleLabels>
  <View><BrushLabels name="mask" toName="photo"><Label value="Person"/><Label value="Child"/></BrushLabels></View>
</View>"""
BOXES = '<View><Image name="i" value="$image"/><RectangleLabels name="box" toName="i">{}</RectangleLabels>'
MASKS = '<BrushLabels name="mask" toName="i">{}</BrushLabels></View>'


def project(boxes: str, masks: str) -> str:
    return BOXES.format(boxes) + MASKS.format(masks)


def label(value: str, alias: str = "", **more: str) -> str:
    given = {"value": value, "alias": alias, **more}
    return "<Label " + " ".join(f'{name}="{text}"' for name, text in given.items() if text) + "/>"


CASES: dict[str, tuple[str, str, str, str | None]] = {
    "same": (label("A") + label("B"), label("A") + label("B"), "B", "B"),
    "other order": (label("A") + label("B"), label("B") + label("A"), "A", "A"),
    "alias in both": (label("A", "x") + label("B", "y"), label("A", "x") + label("B", "y"), "y", "y"),
    "alias for boxes only": (label("A", "x") + label("B", "y"), label("A") + label("B"), "y", "B"),
    "alias for masks only": (label("A") + label("B"), label("A", "x") + label("B", "y"), "B", "y"),
    "other aliases": (label("A", "x") + label("B", "y"), label("A", "1") + label("B", "2"), "y", "2"),
    "alias is another's value": (label("A", "B") + label("B", "A"), label("A", "B") + label("B", "A"), "B", "B"),
    "alias is another's value, no aliases for masks": (
        label("A", "B") + label("B", "A"),
        label("A") + label("B"),
        "B",
        "A",
    ),
    "value where the alias should be": (label("A", "x") + label("B", "y"), label("A", "x") + label("B", "y"), "B", "y"),
    "alias means a value": (label("Human being", "person"), label("Dog") + label("person"), "person", "person"),
    "capitals": (label("PERSON") + label("dog"), label("Dog") + label("Person"), "PERSON", "Person"),
    "spaces": (label("Person "), label("Dog") + label("person"), "Person ", "person"),
    "predicted values": (
        label("Person"),
        label("Hund") + label("Mensch", predicted_values="man, person"),
        "Person",
        "Mensch",
    ),
    "not ASCII": (label("Mädchen", "mädchen"), label("Junge") + label("MÄDCHEN", "f"), "mädchen", "f"),
    "hotkeys and colours": (
        label("A", hotkey="1", background="red"),
        label("B", hotkey="2") + label("A", background="#fff", showAlias="true"),
        "A",
        "A",
    ),
    "nested": (
        f"<View>{label('A')}<Collapse><Panel value='x'>{label('B', 'b')}</Panel></Collapse></View>",
        f"{label('A')}<View style='display:none'>{label('B', 'b')}</View>",
        "b",
        "b",
    ),
    "alias alone": ('<Label alias="x"/>' + label("B"), label("B") + '<Label alias="x"/>', "x", "x"),
    "nothing that means the same": (label("Dog"), label("A", "x") + label("B"), "Dog", None),
}


@pytest.mark.parametrize(("boxes", "masks", "stored", "expected"), CASES.values(), ids=CASES)
def test_a_mask_has_its_rectangle_s_label(boxes: str, masks: str, stored: str, expected: str | None) -> None:
    labelling = read_labelling(project(boxes, masks), "label_config")
    choice = labelling.choose("i", "box", [stored])
    assert choice.brush.name == "mask"
    if expected is None:
        assert (choice.label, choice.instead_of) == (labelling.controls["mask"].labels[0].stored, stored)
    else:
        assert (choice.label, choice.instead_of) == (expected, "")


def test_labels_are_those_that_label_studio_stores(tools: Callable[..., str], tmp_path: Path) -> None:
    configs = [project(boxes, masks) for boxes, masks, _, _ in CASES.values()]
    (tmp_path / "cases.json").write_text(json.dumps({"configs": configs, "rectangles": []}))
    tools("label_studio_says.py", tmp_path / "cases.json", tmp_path / "said.json")
    said = json.loads((tmp_path / "said.json").read_text())["labels"]
    for config, expected in zip(configs, said, strict=True):
        labelling = read_labelling(config, "label_config")
        for name in ("box", "mask"):
            assert list(dict.fromkeys(each.stored for each in labelling.controls[name].labels)) == expected[name]


def test_images_and_brushes() -> None:
    labelling = read_labelling(USUAL, "label_config")
    assert labelling.images == {"photo": ImageTag("photo", "$picture")}
    assert set(labelling.controls) == {"box", "mask"}


SEVERAL = """<View>
  <Image name="left" value="$a"/><Image name="right" value="$b"/><Image name="plan" value="$c"/>
  <RectangleLabels name="r1" toName="left"><Label value="Man" alias="m"/></RectangleLabels>
  <RectangleLabels name="r2" toName="right"><Label value="Woman" alias="w"/></RectangleLabels>
  <BrushLabels name="b1" toName="left,right"><Label value="Man"/></BrushLabels>
  <BrushLabels name="b2" toName="right"><Label value="Woman" alias="w2"/></BrushLabels>
</View>"""


@pytest.mark.parametrize(
    ("image", "from_name", "stored", "brush", "expected"),
    [
        ("left", "r1", "m", "b1", "Man"),
        ("right", "r2", "w", "b2", "w2"),
        ("right", "", "Man", "b1", "Man"),
        ("right", "", "w", "b2", "w2"),
    ],
)
def test_several_images_and_brushes(image: str, from_name: str, stored: str, brush: str, expected: str) -> None:
    labelling = read_labelling(SEVERAL, "label_config")
    assert set(labelling.images) == {"left", "right"}
    choice = labelling.choose(image, from_name, [stored])
    assert (choice.brush.name, choice.label) == (brush, expected)


def test_the_order_of_tags_and_the_capitals_of_their_names_are_free() -> None:
    text = (
        '<view><BRUSHLABELS name="c" toname="a"><label value="p"/></BRUSHLABELS>'
        '<rectangle name="d" toName="a"/><image name="a" value="$b"/></view>'
    )
    assert read_labelling(text, "label_config").choose("a", "d", []).label == "p"


@pytest.mark.parametrize(
    "around", ["\ufeff{}", "\n  {}\n", '<?xml version="1.0" encoding="UTF-8"?>{}', "<!-- a --> {}"]
)
def test_what_may_stand_around_a_configuration(around: str) -> None:
    assert read_labelling(around.format(USUAL), "label_config").images


def test_styles_and_sections_of_characters_are_taken() -> None:
    style = "<Style><![CDATA[.a > .b { color: red }]]></Style><Header value='Who &amp; where?'/>"
    assert read_labelling(USUAL.replace("<!-- people -->", style), "label_config").images


def test_a_brush_without_labels() -> None:
    text = '<View><Image name="a" value="$b"/><Brush name="c" toName="a"/><Rectangle name="d" toName="a"/></View>'
    choice = read_labelling(text, "label_config").choose("a", "d", [])
    assert (choice.brush.name, choice.brush.kind, choice.label) == ("c", "brush", None)


def test_labels_of_a_tag_of_their_own() -> None:
    text = """<View><Image name="a" value="$b"/><Brush name="c" toName="a"/><Rectangle name="d" toName="a"/>
    <Labels name="l" toName="a"><Label value="Man" alias="m"/><Label value="Woman"/></Labels></View>"""
    choice = read_labelling(text, "label_config").choose("a", "l", ["m"])
    assert choice.control
    assert (choice.brush.name, choice.control.name, choice.label) == ("c", "l", "m")


DYNAMIC = (
    '<View><Image name="i" value="$image"/><RectangleLabels name="box" toName="i" value="$labels"/>'
    '<BrushLabels name="mask" toName="i" value="$labels"><Label value="Other"/></BrushLabels></View>'
)


@pytest.mark.parametrize(
    ("labels", "stored", "expected"),
    [
        ([{"value": "Man"}, {"value": "Woman"}], "Woman", "Woman"),
        ([{"value": "Man", "alias": "m"}, {"value": "Woman", "alias": "w"}], "w", "w"),
        (["Man", "Woman"], "Woman", "Woman"),
        ([{"value": "Man"}], "Other", "Other"),
        (None, "Other", "Other"),
    ],
)
def test_labels_of_the_task(labels: object, stored: str, expected: str) -> None:
    labelling = read_labelling(DYNAMIC, "label_config").of_task({"labels": labels} if labels else {})
    choice = labelling.choose("i", "box", [stored])
    assert (choice.label, choice.instead_of) == (expected, "")


@pytest.mark.parametrize(
    ("labels", "error"),
    [("Man", InvalidRequest), ([5], InvalidRequest), ([{"value": 5}], InvalidRequest), ([{}], InvalidRequest),
     (["x" * 201], InvalidRequest), (["a"] * 1001, TooLarge)],
)  # fmt: skip
def test_what_are_no_labels(labels: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"data\.labels"):
        read_labelling(DYNAMIC, "label_config").of_task({"labels": labels})


@pytest.mark.parametrize(
    ("tag", "data", "item", "expected"),
    [
        (ImageTag("i", "$image"), {"image": "a"}, 0, "a"),
        (ImageTag("i", "$my photo"), {"my photo": "a"}, 0, "a"),
        (ImageTag("i", "$a.b[1].c"), {"a": {"b": [0, {"c": "x"}]}}, 0, "x"),
        (ImageTag("i", "$a.b"), {"a.b": "whole", "a": {"b": "path"}}, 0, "whole"),
        (ImageTag("i", "/data/local-files/?d=$dir/$file.jpg"), {"dir": "x", "file.jpg": "y.jpg"}, 0,
         "/data/local-files/?d=x/y.jpg"),
        (ImageTag("i", "/data/upload/1/a.jpg"), {}, 0, "/data/upload/1/a.jpg"),
        (ImageTag("i", "$images", True), {"images": ["a", "b"]}, 1, "b"),
        (ImageTag("i", "$images", True), {"images": ["a", "b"]}, 2, None),
        (ImageTag("i", "$images", True), {"images": "a"}, 0, "a"),
        (ImageTag("i", "$image"), {}, 0, None),
        (ImageTag("i", "$a[9]"), {"a": ["x"]}, 0, None),
    ],
)  # fmt: skip
def test_where_an_image_is(tag: ImageTag, data: dict[str, object], item: int, expected: object) -> None:
    assert tag.reference(data, item) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("<View>", "not XML"),
        ("<View>&nbsp;</View>", "not XML"),
        ("<View/>", "no <BrushLabels>"),
        ('<View><Image name="a" value="$b"/></View>', "no <BrushLabels>"),
        ('<View><Image name="a" value="$b"/><BrushLabels name="c" toName="other"/></View>', "no <BrushLabels>"),
        ('<View><Image name="a"/><BrushLabels name="c" toName="a"/></View>', "no <BrushLabels>"),
        ('<View><Image name="a" value="$b"/><BitmaskLabels name="c" toName="a"/></View>', "no <BrushLabels>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>', "entities"),
        (" " * (MAX_LENGTH + 1), "longer"),
        ("<a>" * 14_000 + "</a>" * 14_000, "tags"),
        ("<View>" + "".join(f'<Brush name="{i}" toName="a"/>' for i in range(101)) + "</View>", "101 brushes"),
    ],
)
def test_a_configuration_without_a_place_for_masks_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=f"schema.*{why}") as raised:
        read_labelling(text, "schema")
    assert raised.value.field == "schema"


def test_no_labels_at_all_take_the_rectangle_s() -> None:
    labelling: Labelling = read_labelling(project(label("A"), ""), "label_config")
    assert labelling.choose("i", "box", ["A"]).label == "A"
    assert labelling.choose("i", "box", []).label is None
