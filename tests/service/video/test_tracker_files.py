"""What trackers write is read beside our own lines, and ids go with the boxes.

The files are written out here after the formats' descriptions: MOTChallenge's table, COCO as CVAT, CocoVID and TAO
write frames of a video, and supervision's ``JSONSink``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiseg.core.box import Box
from hiseg.core.command_errors import CommandError
from hiseg.video.box_files import read_boxes
from hiseg.video.boxes import BoxTrack, TrackedBox


def load(tmp_path: Path, content: object) -> BoxTrack:
    path = tmp_path / "boxes.txt"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_boxes(path, 2)


def who(track: BoxTrack, number: int) -> dict[Any, tuple[float, ...]]:
    found = track.at(number, 0)
    return {each.id: each.box.as_tuple() for each in found.people} if not found.age else {}


MOT = "1,7,10,20,30,40,0.9,-1,-1,-1\n3,7,12,20,30,40,0.9,-1,-1,-1\n1,9,50,20,5.5,6,1,-1,-1,-1\n"


@pytest.mark.parametrize("text", [MOT, MOT.replace(",", " "), MOT.replace("\n", "\r\n"), MOT.replace(",", ", ")])
def test_mot_counts_frames_from_1(tmp_path: Path, text: str) -> None:
    track = load(tmp_path, text)
    assert who(track, 0) == {7: (10, 20, 40, 60), 9: (50, 20, 55.5, 26)}
    assert who(track, 2) == {7: (12, 20, 42, 60)}
    assert track.at(1, 0).age == 1
    assert not track.notes


def test_mot_of_a_detector_has_no_ids_and_may_count_from_0(tmp_path: Path) -> None:
    track = load(tmp_path, "0,-1,1,2,3,4\n0,-1,2,2,3,4\n1,-1,1,2,3,4\n")
    assert track.at(0, 0).people == (TrackedBox(Box(1, 2, 4, 6)), TrackedBox(Box(2, 2, 5, 6)))
    assert track.ids == []
    assert "frames count from 0" in track.notes[0]


def test_rows_of_mot_that_are_not_to_count_are_left_out(tmp_path: Path) -> None:
    track = load(tmp_path, "1,1,1,2,3,4,1,1,0.5\n1,2,1,2,3,4,0,8,0.5\n")
    assert list(who(track, 0)) == [1]
    assert "1 rows with a confidence of 0 are left out" in track.notes[0]


def coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}], **more}


def box(image: int, **more: object) -> dict[str, Any]:
    return {"id": image, "image_id": image, "category_id": 1, "bbox": [1, 2, 3, 4], **more}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"frame_id": 0, "video_id": 1}, {"frame_id": 1, "video_id": 1}, {"instance_id": 5}),
        ({"frame_index": 0}, {"frame_index": 1}, {"track_id": 5}),
        ({"file_name": "frame_000000.PNG"}, {"file_name": "frame_000001.PNG"}, {"attributes": {"track_id": 5}}),
        ({"file_name": "a/0001.jpg"}, {"file_name": "a/0002.jpg"}, {"track_id": 5}),
    ],
)
def test_coco_of_a_video(tmp_path: Path, first: dict[str, Any], second: dict[str, Any], told: dict[str, Any]) -> None:
    track = load(tmp_path, coco([{"id": 8, **first}, {"id": 9, **second}], [box(8, **told)]))
    assert who(track, 0) == {5: (1, 2, 4, 6)}
    assert track.at(1, 0).people == (), "an image without annotations is a frame with nobody in it"
    assert track.at(1, 0).age == 0


def test_only_people_of_coco_are_taken(tmp_path: Path) -> None:
    images = [{"id": 1, "frame_id": 0}]
    track = load(tmp_path, coco(images, [box(1, track_id="a"), box(1, category_id=3)]))
    assert list(who(track, 0)) == ["a"]
    assert "1 boxes of other categories than person are left out" in track.notes[0]
    track = load(tmp_path, coco(images, [box(1, track_id="a")], categories=[{"id": 1, "name": "player"}]))
    assert list(who(track, 0)) == ["a"]
    assert "no category is named 'person'" in track.notes[0]


def sink(**more: object) -> dict[str, Any]:
    """A row of supervision's JSONSink, with the number of the frame as its own data."""
    corners = {"x_min": 1.0, "y_min": 2.0, "x_max": 4.0, "y_max": 6.5}
    return {**corners, "class_id": 0, "confidence": 0.9, "tracker_id": 3, **more}


def test_supervision(tmp_path: Path) -> None:
    rows = [sink(frame_index=0), sink(frame_index="1", tracker_id=""), sink(frame_index=2, class_id=5)]
    track = load(tmp_path, rows)
    assert [who(track, number) for number in range(3)] == [{name: (1, 2, 4, 6.5)} for name in (3, None, 3)]
    assert "boxes of 2 classes are taken" in track.notes[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("1,2,3,4,5\n", ":1: it has 5 numbers; a row of MOT has frame, id, x, y, width, height"),
        ("1,2,3,4,5,6\nframe,id\n", ":2: it should be numbers"),
        ("1.5,2,3,4,5,6\n", ":1: it should be numbers"),
        ("1,2,3,4,0,6\n", "frame 0: boxes[0] is empty or reversed"),
        ("1,2,3,4,5,6\n1,2,3,4,5,6\n", "frame 0: two boxes have the id 2"),
        ("1,1,3,4,5,6\n1,2,3,4,5,6\n1,3,3,4,5,6\n", "at most 2"),
        (coco([{"id": 1, "file_name": "a.jpg"}], []), "images[0] has neither frame nor frame_id"),
        (coco([{"id": 1, "frame_id": 3}, {"id": 2, "frame_id": 3}], []), "several images are the same frame"),
        (coco([{"id": 1, "frame_id": 3, "video_id": 1}, {"id": 2, "frame_id": 3, "video_id": 2}], []), "has 2 videos"),
        (coco([{"id": 1, "frame_id": 0}], [box(2)]), "annotations[0] belongs to no image"),
        (coco([{"id": 1, "frame_id": 0}], [box(1, bbox=[1, 2])]), "annotations[0] has no box of four numbers"),
        (coco([{"id": 1, "frame_id": 0}], [box(1, track_id=1.5)]), "the id 1.5 is neither"),
        ('{"images": [], "annotations": [', "it ends in the middle"),
        ([sink()], "[0]: it has no number of its frame"),
        ([sink(frame_index=0, x_min="")], "[0] has no box of four numbers"),
        ([sink(frame_index=0), 7], "[1]: it should be an object"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(CommandError) as raised:
        load(tmp_path, content)
    assert told in str(raised.value)
    assert "boxes.txt" in str(raised.value)
    assert "\n" not in str(raised.value)
