"""``hiseg video`` reads and writes videos with the real model."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from benchmarks.harness.serving import Server
from hiseg.core.box import Box
from hiseg.core.extras import install_command
from hiseg.video import outputs
from tests.service.video.clips import FRAMES, RATE, SIZE, Clip, difference, make, read
from tests.service.video.running import Done, hiseg_video, lines

BOX = ("--box", "1,1,50,50")


def test_people_are_tinted_where_they_are_and_nothing_else_changes(clip: Clip, tmp_path: Path) -> None:
    out, masks = tmp_path / "out.mp4", tmp_path / "masks.jsonl"
    done = hiseg_video(clip.path, "-o", out, "--boxes", clip.boxes, "--json", masks)
    assert re.fullmatch(r"frames 16  dropped 0  fps [\d.]+\n", done.out)
    assert done.err == ""
    before, times_before, seconds_before = read(clip.path)
    after, times_after, seconds_after = read(out)
    assert times_after == times_before
    assert seconds_after == seconds_before == FRAMES / RATE
    found = lines(masks)
    assert [line["frame"] for line in found] == list(range(FRAMES))
    assert [line["time"] for line in found] == [number / RATE for number in range(FRAMES)]
    centres = []
    for number, line in enumerate(found):
        changed = difference(before[number], after[number]) > 25
        everywhere = np.zeros(changed.shape, dtype=bool)
        for instance, row in zip(line["instances"], clip.rows[number], strict=True):
            assert instance["box"] == row
            pixels = coco_mask.decode(instance["mask"]).astype(bool)
            x1, y1, x2, y2 = Box(*row).scaled(1.2).clipped(pixels.shape[1], pixels.shape[0]).as_tuple()
            inside = np.zeros_like(pixels)
            inside[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = True
            assert pixels.shape == changed.shape
            assert pixels.sum() == instance["area"] > 0.35 * Box(*row).area
            assert not (pixels & ~inside).any()
            assert changed[pixels].mean() > 0.6
            everywhere |= inside
            centres.append(float(np.nonzero(pixels)[1].mean()))
        # People's numbers stand on top of their boxes.
        around = cv2.dilate(everywhere.astype(np.uint8), np.ones((31, 9), dtype=np.uint8)) > 0
        assert changed[~around].mean() < 0.005
    # One colour a person, the same from the first frame to the last: the boxes' corners have it.
    for index in (0, 1):
        corners = [after[n][round(clip.rows[n][index][1]), round(clip.rows[n][index][0]) + 9] for n in range(FRAMES)]
        assert np.ptp(np.array(corners).astype(int), axis=0).max() < 60
    assert centres[-2] - centres[0] == pytest.approx(3 * (FRAMES - 1), abs=8)
    assert centres[-1] - centres[1] == pytest.approx(3 * (FRAMES - 1), abs=8)


def test_colours_follow_the_id_when_somebody_leaves(clip: Clip, tmp_path: Path) -> None:
    out, masks, boxes = tmp_path / "out.mp4", tmp_path / "masks.jsonl", tmp_path / "boxes.jsonl"
    here = clip.rows[0]
    rows = [{"frame": 0, "boxes": here, "ids": [7, "ann"]}, {"frame": 2, "boxes": here[1:], "ids": ["ann"]}]
    boxes.write_text("\n".join(map(json.dumps, rows)))
    done = hiseg_video(clip.path, "-o", out, "--boxes", boxes, "--json", masks, "--max-box-age", 9)
    assert "10 frames had the boxes of an earlier one, up to 9 frames before" in done.err
    found = lines(masks)
    assert [[each["id"] for each in line["instances"]] for line in found] == [[7, "ann"]] * 2 + [["ann"]] * 10 + [
        []
    ] * 4
    assert [line["boxes_age"] for line in found] == [0, 1, *range(10), 0, 0, 0, 0]
    pictures, _, _ = read(out)
    _, y1, x2, y2 = (round(v) for v in here[1])
    sides = [picture[y1 + 30 : y2 - 30, x2 - 1].mean(axis=0) for picture in pictures[:12]]
    assert np.ptp(sides, axis=0).max() < 40, "second in its frame, then the only one"
    other = pictures[0][y1 + 30 : y2 - 30, round(here[0][2]) - 1].mean(axis=0)
    assert np.abs(other - sides[0]).max() > 60


def test_a_server_gives_the_same_masks(clip: Clip, tmp_path: Path, server: Server) -> None:
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    finish = ("--threshold", 0.6, "--smoothing", "edge", "--dilation-px", 3, "--resolve-overlaps")
    for path, more in ((here, []), (there, ["--server", server.grpc])):
        hiseg_video(clip.path, "--boxes", clip.boxes, "--json", path, "--every", 4, *finish, *more)
    assert here.read_text() == there.read_text()
    assert len(lines(here)) == FRAMES // 4


def test_a_server_that_is_not_there(clip: Clip, tmp_path: Path) -> None:
    done = hiseg_video(
        clip.path, "-o", tmp_path / "o.mp4", "--box", "1,1,9,9", "--server", "grpc://127.0.0.1:9", expect=1
    )
    assert "the server" in one_line(done)


def test_odd_sizes_are_padded_in_the_video_and_nowhere_else(tmp_path: Path) -> None:
    odd = make(tmp_path, (401, 221), 6, "yuv444p")
    out, masks = tmp_path / "out.mp4", tmp_path / "masks.jsonl"
    hiseg_video(odd.path, "-o", out, "--box", "0,20,130,221", "--json", masks, "--every", 3)
    pictures, times, _ = read(out)
    assert [picture.shape for picture in pictures] == [(222, 402, 3)] * 2
    assert times == [0, 3 / RATE]
    assert [(line["frame"], line["instances"][0]["mask"]["size"]) for line in lines(masks)] == [
        (0, [221, 401]),
        (3, [221, 401]),
    ]


@pytest.mark.parametrize("text", [None, "", '{"frame": 0, "boxes": []}\n'])
def test_without_boxes_no_copy_of_the_video_is_written(clip: Clip, tmp_path: Path, text: str | None) -> None:
    out, masks, boxes = tmp_path / "out.mp4", tmp_path / "masks.jsonl", tmp_path / "boxes.jsonl"
    boxes.write_text(text or "")
    given = () if text is None else ("--boxes", boxes)
    done = hiseg_video(clip.path, "-o", out, "--json", masks, *given, expect=1)
    assert "no boxes" in one_line(done)
    assert not out.exists()
    assert not masks.exists()


def test_boxes_outside_the_frame_leave_the_video_as_it_is(clip: Clip, tmp_path: Path) -> None:
    out, masks = tmp_path / "out.mp4", tmp_path / "masks.jsonl"
    hiseg_video(clip.path, "-o", out, "--json", masks, "--box", "5000,5000,5001,5001")
    for one, other in zip(read(clip.path)[0], read(out)[0], strict=True):
        assert np.abs(one.astype(int) - other).mean() < 3
    assert [[found["area"] for found in line["instances"]] for line in lines(masks)] == [[0]] * FRAMES


def test_shares_of_the_frame_in_place_of_pixels_are_told(clip: Clip, tmp_path: Path) -> None:
    done = hiseg_video(clip.path, "--json", tmp_path / "masks.jsonl", "--box", "0.1,0.1,0.9,0.9")
    assert f"in {FRAMES} frames a box lies outside the frame, or has less than a pixel of it" in done.err


def test_boxes_that_had_no_effect_are_told(clip: Clip, tmp_path: Path) -> None:
    boxes, masks = tmp_path / "boxes.jsonl", tmp_path / "masks.jsonl"
    rows = [
        {"frame": 0, "boxes": [[1, 1, 50, 50], [900, 1, 950, 50]], "labels": [7, 8]},
        {"frame": 2, "boxes": [[1, 1, 50, 50]]},
        {"frame": 900, "boxes": [[1, 1, 50, 50]]},
    ]
    boxes.write_text("\n".join(map(json.dumps, rows)))
    done = hiseg_video(clip.path, "--json", masks, "--boxes", boxes)
    first, reused, second, third = done.err.splitlines()
    assert "labels is not used, in 1 of the lines" in first
    assert "14 frames had the boxes of an earlier one, up to 13 frames before" in reused
    assert "in 2 frames a box lies outside the frame" in second
    assert "the first is boxes[1] of frame 0" in second
    assert (
        "1 of 3 lines of --boxes are for frames after the last one, number 15; the first of them is number 900" in third
    )


def test_frames_before_the_end_of_a_truncated_video_are_written(clip: Clip, tmp_path: Path) -> None:
    broken, out = tmp_path / "broken.mp4", tmp_path / "out.mp4"
    data = clip.path.read_bytes()
    broken.write_bytes(data[: len(data) * 6 // 10])
    done = hiseg_video(broken, "-o", out, *BOX, expect=1)
    told = re.search(r"ends early: (\d+) of 16 frames", done.err)
    assert told
    assert done.frames == len(read(out)[0]) == int(told[1])
    assert 4 <= done.frames < 16


def test_damaged_frames_are_reported_and_the_others_written(clip: Clip, tmp_path: Path) -> None:
    damaged, out = tmp_path / "damaged.mp4", tmp_path / "out.mp4"
    data = bytearray(clip.path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = np.random.default_rng(0).bytes(3000)
    damaged.write_bytes(data)
    done = hiseg_video(damaged, "-o", out, *BOX, expect=1)
    assert "is damaged" in done.err
    assert done.frames == len(read(out)[0]) >= FRAMES // 2


def test_under_load_frames_are_dropped_and_none_is_repeated(clip: Clip, tmp_path: Path) -> None:
    out, masks = tmp_path / "out.mp4", tmp_path / "masks.jsonl"
    done = hiseg_video(clip.path, "-o", out, "--json", masks, "--boxes", clip.boxes, "--policy", "latest_only")
    numbers = [line["frame"] for line in lines(masks)]
    assert done.dropped > 0
    assert done.frames + done.dropped == FRAMES
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == FRAMES - 1, "the newest is never dropped"
    assert re.search(r"latency p50 \d+ ms  p95 \d+ ms", done.out), "told where frames don't wait for others"
    assert read(out)[1] == [number / RATE for number in numbers]


def test_without_x264_the_video_is_mpeg4(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(outputs.OPAQUE, "mp4", (outputs.Codec("libnone", "yuv420p"), outputs.MPEG4))
    out = tmp_path / "out.mp4"
    hiseg_video(clip.path, "-o", out, *BOX)
    pictures, times, _ = read(out)
    assert [picture.shape for picture in pictures] == [(SIZE[1], SIZE[0], 3)] * FRAMES
    assert times == [number / RATE for number in range(FRAMES)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{clip}"], "nothing to write"),
        (["{clip}", "-o", "{clip}"], "is the input"),
        (["{clip}", "-o", "{tmp}/no/x.mp4"], "doesn't exist"),
        (["{clip}", "-o", "{tmp}/x.unknown", *BOX], "says no container that can be written; there is .mp4"),
        (
            ["{clip}", "-o", "{tmp}/x.mp4", *BOX, "--as", "alpha"],
            "holds no transparency, for --as alpha; there is .mov",
        ),
        (["{clip}", "-o", "{tmp}/x.png", *BOX], "%04d.png"),
        (["{clip}", "-o", "{tmp}/x.mp4", *BOX, "--as", "cutout"], "--as cutout needs --background"),
        (["{clip}", "-o", "{tmp}/x.mp4", *BOX, "--as", "matte", "--background", "blur"], "not for matte"),
        (["{clip}", "-o", "{tmp}/x.mp4", *BOX, "--background", "nocolour"], "--background: 'nocolour' is neither blur"),
        (["{clip}", "-o", "{tmp}/x.mp4", *BOX, "--background", "{noise}"], "no picture that can be read"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--box", "1,2,3"], "boxes[0]"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--box", "1,2,3,4;5,6,7,8"], "boxes[0]"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--boxes", "{tmp}/none.jsonl"], "none.jsonl"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--box", "1,2,3,4", "--boxes", "{boxes}"], "either"),
        (["{clip}", "-o", "{tmp}/x.mp4", *BOX, "--max-box-age", "3"], "--max-box-age is for --boxes"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--size", "3x3"], "--size"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--variant", "b9", "--box", "1,2,3,4"], "b9"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--model", "b0", "--box", "1,2,3,4"], "so write variant=b0"),
        (["{clip}", "-o", "{tmp}/x.mp4", "--server", "http://here", *BOX], "gRPC"),
        (["{tmp}/none.mp4", "-o", "{tmp}/x.mp4"], "no file"),
        (["{noise}", "-o", "{tmp}/x.mp4"], "is no video"),
        (["99", "-o", "{tmp}/x.mp4"], "can't be opened"),
        (["http://127.0.0.1:9/x.mp4", "-o", "{tmp}/x.mp4"], "Connection refused"),
        (["-", "-o", "{tmp}/x.mp4"], "--pixel-format"),
        (["-", "-o", "{tmp}/x.mp4", "--size", "3", "--fps", "1", "--pixel-format", "nv12"], "WIDTHxHEIGHT"),
        (["-", "-o", "{tmp}/x.mp4", "--size", "3x2", "--fps", "1", "--pixel-format", "nv12"], "odd"),
        (["-", "-o", "{tmp}/x.mp4", "--size", "4x2", "--fps", "x", "--pixel-format", "nv12"], "--fps"),
    ],
)
def test_errors_are_one_line(arguments: list[str], told: str, clip: Clip, tmp_path: Path) -> None:
    known = {"clip": clip.path, "boxes": clip.boxes, "tmp": tmp_path, "noise": tmp_path / "noise.mp4"}
    known["noise"].write_bytes(np.random.default_rng(0).bytes(50_000))
    done = hiseg_video(*(argument.format(**known) for argument in arguments), expect=1)
    assert told in done.err.splitlines()[-1]
    assert not (tmp_path / "x.mp4").exists()


def test_without_pyav_one_line_says_what_to_install(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "hiseg.video.reader")
    done = hiseg_video(clip.path, "-o", tmp_path / "out.mp4", expect=1)
    assert done.err == f"hiseg: reading a video needs packages that aren't installed: {install_command('video')}\n"


def one_line(done: Done) -> str:
    (line,) = done.err.splitlines()
    return line
