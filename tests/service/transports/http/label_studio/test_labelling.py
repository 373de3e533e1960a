"""The labels and tags for masks are read from labelling configurations, and unusable configurations are refused."""

from __future__ import annotations

import pytest

from hiseg.core.errors import InvalidRequest
from hiseg.transports.http.label_studio.labelling import MAX_LENGTH, Labelling, read_labelling

USUAL = """<View>
  <!-- people -->
  <Image name="photo" value="$picture" zoom="true"/>
  <RectangleLabels name="box" toName="photo"><Label value="Person"/><Label value="Child"/></RectangleLabels>
  <View><BrushLabels name="mask" toName="photo"><Label value="Person"/><Label value="Child"/></BrushLabels></View>
</View>"""


def test_labels() -> None:
    expected = Labelling("mask", "brushlabels", ("Person", "Child"), "photo", "picture")
    assert read_labelling(USUAL, "label_config") == expected


def test_a_brush_without_labels() -> None:
    text = '<View><Image name="a" value="$b"/><Brush name="c" toName="a"/><Rectangle name="d" toName="a"/></View>'
    assert read_labelling(text, "label_config") == Labelling("c", "brush", (), "a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<View>",
        "<View/>",
        '<View><Image name="a" value="$b"/></View>',
        '<View><Image name="a" value="$b"/><BrushLabels name="c" toName="other"/></View>',
        '<View><Image name="a"/><BrushLabels name="c" toName="a"/></View>',
        '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>',
        " " * (MAX_LENGTH + 1),
        "<a>" * 14_000 + "</a>" * 14_000,
    ],
)
def test_a_configuration_without_a_place_for_masks_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="schema") as raised:
        read_labelling(text, "schema")
    assert raised.value.field == "schema"
