"""Boxes are read from a file and assigned to frames."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.video.boxes import BoxTrack, read_boxes, same_boxes_for_all
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
        assert read.at(number, number / 30) == tuple(Box(*box(side)) for side in sides)
    assert read.is_empty == (not any(track.values()))


def test_times_may_be_rounded_to_milliseconds() -> None:
    track = BoxTrack((0.334,), ((Box(0, 0, 1, 1),),), by_time=True)
    assert track.at(10, 10 / 30)
    assert not track.at(9, 9 / 30)


def test_the_later_of_two_lines_counts(tmp_path: Path) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"frame": 3, "boxes": [[0, 0, 1, 1]]}\n{"frame": 3, "boxes": []}\n')
    track = read_boxes(path, 1)
    assert track.at(3, 0) == ()
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
    assert read_boxes(path, 1) == BoxTrack([0, 5], [(Box(1, 2, 3, 4),), ()])


def test_other_keys_are_noted_once(tmp_path: Path) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"frame": 0, "boxes": [], "ids": []}\n{"frame": 1, "boxes": [], "ids": [], "score": 1}\n')
    assert read_boxes(path, 1).notes == (
        f"{path}: ids is not used, in 2 of the lines; there is frame, time, boxes",
        f"{path}: score is not used, in 1 of the lines; there is frame, time, boxes",
    )


@pytest.mark.parametrize("by_time", [False, True])
def test_lines_behind_the_end_are_told(by_time: bool) -> None:
    track = BoxTrack((0, 2.5, 9), ((), (), ()), by_time=by_time)
    assert track.behind(9, 9.0) == ""
    assert track.behind(4, 4.0).startswith("1 of 3 lines of --boxes are for frames after the last one")
    assert BoxTrack((), ()).behind(0, 0) == ""


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


def test_the_same_for_all_frames() -> None:
    track = same_boxes_for_all(["1,2,3,4", "5,6,7,8.5"], 2)
    assert track.at(0, 0) == track.at(10**6, 9e9) == (Box(1, 2, 3, 4), Box(5, 6, 7, 8.5))
    assert same_boxes_for_all([], 2).is_empty


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
