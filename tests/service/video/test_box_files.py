"""Files of boxes of every kind are read, and what is wrong with one is a line that names the place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.video.box_files import read_boxes
from hiseg.video.boxes import BoxTrack, FrameBoxes, PersonId, TrackedBox
from hiseg.video.frame import VideoError

TRACKS = st.dictionaries(st.integers(0, 60), st.lists(st.integers(1, 9), max_size=3), max_size=12)


def box(side: int) -> list[float]:
    return [0.0, 0.0, float(side), 1.0]


@given(TRACKS, st.randoms(use_true_random=False), st.booleans())
def test_a_frame_has_its_own_boxes_or_the_latest_earlier_ones(
    tmp_path_factory: pytest.TempPathFactory, track: dict[int, list[int]], random: st.DrawFn, by_time: bool
) -> None:
    lines = [
        {"time": number / 30, "boxes": [box(side) for side in sides]}
        if by_time
        else {"frame": number, "boxes": [box(side) for side in sides], "camera": "left"}
        for number, sides in track.items()
    ]
    random.shuffle(lines)  # type: ignore[attr-defined]
    path = tmp_path_factory.getbasetemp() / "boxes.jsonl"
    path.write_text("\n\n".join(json.dumps(line) for line in lines))
    read = read_boxes(path, 100)
    for number in range(62):
        earlier = [start for start in track if start <= number]
        sides = track[max(earlier)] if earlier else []
        assert read.at(number, number / 30).people == tuple(TrackedBox(Box(*box(side))) for side in sides)
    assert read.is_empty == (not any(track.values()))


def test_the_later_of_two_lines_counts(tmp_path: Path) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"frame": 3, "boxes": [[0, 0, 1, 1]]}\n{"frame": 3, "boxes": []}\n')
    track = read_boxes(path, 1)
    assert track.at(3, 0) == FrameBoxes()
    assert track.notes == (f"{path}: a later line takes the place of an earlier one of the same frame, 1 times",)


LINES = '{"frame": 0, "boxes": [[1, 2, 3, 4]]}\n{"frame": 5.0, "boxes": []}\n'
ARRAY = '\n[{"frame": 0, "boxes": [[1, 2, 3, 4]]},\n {"frame": 5, "boxes": []}]'


@pytest.mark.parametrize(
    "content",
    [
        *(LINES.encode(encoding) for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")),
        *(LINES.replace("\n", end).encode() for end in ("\r\n", "\r", "\n\n", "\n  \r\n")),
        *(f"{comment}\n{LINES}".encode() for comment in ("# made by a tracker", "// made by a tracker", "  # so")),
        *(ARRAY.encode(encoding) for encoding in ("utf-8", "utf-8-sig", "utf-16")),
        (LINES + LINES).encode(),
    ],
)
def test_files_of_any_editor_are_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_bytes(content)
    assert read_boxes(path, 1) == BoxTrack([0, 5], [(TrackedBox(Box(1, 2, 3, 4)),), ()])


def test_other_keys_are_noted_once(tmp_path: Path) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"frame": 0, "boxes": [], "labels": []}\n{"frame": 1, "boxes": [], "labels": [], "score": 1}\n')
    assert read_boxes(path, 1).notes == (
        f"{path}: labels is not used, in 2 of the lines; there is frame, time, boxes, ids",
        f"{path}: score is not used, in 1 of the lines; there is frame, time, boxes, ids",
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[1, 2", "begins like an array of JSON, but is none"),
        (b'[{"frame": 0, "boxes": []}, 7]', "[1]: it should be an object"),
        (b'{"frame": 0, "boxes": "\xff"}', "byte 23 fits no character"),
        (b'{\n "frame": 0,\n "boxes": []\n}', ":1: the JSON is malformed"),
        (b'{"frame": true, "boxes": []}', ":1: frame"),
        (b'{"frame": 0, "boxes": [[true, 1, 2, 3]]}', "boxes[0][0]"),
        (b'{"frame": 0, "boxes": [[NaN, 1, 2, 3]]}', "not finite"),
        (b'{"frame": 0, "boxes": {"x1": 1}}', ":1: boxes"),
    ],
)
def test_what_is_no_file_of_boxes_is_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_bytes(content)
    with pytest.raises(CommandError) as raised:
        read_boxes(path, 2)
    assert str(path) in str(raised.value)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense", "the JSON is malformed"),
        ('{"frame": 1}', "boxes: it is missing"),
        ('{"frame": 1, "boxes": [[1, 2, "3", 4]]}', "boxes[0][2]"),
        ('{"frame": 1, "boxes": [[1, 2, 3]]}', "boxes[0] has 3 numbers"),
        ('{"frame": 1, "boxes": [[3, 2, 1, 4]]}', "empty or reversed"),
        ('{"frame": -1, "boxes": []}', "frame"),
        ('{"frame": 1.5, "boxes": []}', "frame"),
        ('{"time": NaN, "boxes": []}', "time"),
        ('{"boxes": []}', "either frame or time"),
        ('{"frame": 1, "time": 1, "boxes": []}', "either frame or time"),
        ('{"frame": 1, "boxes": [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]}', "at most 2"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"frame": 0, "boxes": []}\n' + line + "\n")
    with pytest.raises(VideoError) as raised:
        read_boxes(path, 2)
    assert f"{path}:2: " in str(raised.value)
    assert told in str(raised.value)


def test_frame_and_time_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"frame": 0, "boxes": []}\n{"time": 0, "boxes": []}\n')
    with pytest.raises(BadOption, match="throughout"):
        read_boxes(path, 2)


ONE, TWO = Box(1, 2, 3, 4), Box(5, 6, 7, 8.5)


def people(*ids: PersonId | None) -> tuple[TrackedBox, ...]:
    return tuple(TrackedBox(box, who) for box, who in zip((ONE, TWO), ids, strict=False))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"frame": 0, "boxes": [[1,2,3,4],[5,6,7,8.5]], "ids": [7, "ann"]}', people(7, "ann")),
        ('{"frame": 0, "boxes": [[1,2,3,4],[5,6,7,8.5]], "ids": [null, 9]}', people(None, 9)),
        ('{"frame": 0, "boxes": [{"box": [1,2,3,4], "id": 7, "conf": 1}, {"box": [5,6,7,8.5]}]}', people(7, None)),
        ('[{"frame": 0, "boxes": [[1,2,3,4]], "ids": [7]}]', people(7)),
        ("[[[1,2,3,4],[5,6,7,8.5]], []]", people(None, None)),
        ('[[{"box": [1,2,3,4], "id": 7}]]', people(7)),
        ("[[1,2,3,4],[5,6,7,8.5]]", people(None, None)),
    ],
)
def test_who_is_in_a_box(tmp_path: Path, content: str, expected: tuple[TrackedBox, ...]) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    assert read_boxes(path, 2).at(0, 0).people == expected


def test_an_array_of_frames_changes_and_an_array_of_boxes_does_not(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text("[[[1,2,3,4]], [], [[5,6,7,8.5]]]")
    track = read_boxes(path, 2)
    assert [len(track.at(number, 0).people) for number in range(3)] == [1, 0, 1]
    path.write_text("[[1,2,3,4]]")
    assert read_boxes(path, 2).at(10**6, 0) == FrameBoxes(people(None))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"frame": 0, "boxes": [[1,2,3,4]], "ids": [1, 2]}', ":1: ids has 2 for 1 boxes"),
        ('{"frame": 0, "boxes": [[1,2,3,4],[5,6,7,8]], "ids": [1, 1]}', ":1: two boxes have the id 1"),
        ('{"frame": 0, "boxes": [[1,2,3,4]], "ids": [true]}', "ids[0]"),
        ('{"frame": 0, "boxes": [{"box": [1,2,3,4], "id": 7}], "ids": [7]}', "boxes[0]: it should be"),
        ("[[[1,2,3,4]], [[1,2,3]]]", "[1]: boxes[0] has 3 numbers"),
        ("[[1,2,3,4], [1,2,3]]", "boxes[1] has 3 numbers"),
    ],
)
def test_what_is_wrong_with_ids_and_arrays_is_named(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(VideoError) as raised:
        read_boxes(path, 2)
    assert str(path) in str(raised.value)
    assert told in str(raised.value)
