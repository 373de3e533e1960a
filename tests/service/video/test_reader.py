"""Colours, rotation, length and timestamps of video files, including files that don't state them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st

from hiseg.video.frame import Frame, VideoError
from hiseg.video.inputs import Input, parse_input
from hiseg.video.reader import Timeline, VideoReader
from tests.service.video.clips import FRAMES, RATE, Clip

COLOUR = 200, 50, 20


def all_of(reader: VideoReader) -> list[Frame]:
    frames = []
    try:
        while (frame := reader.read()) is not None:
            frames.append(frame)
    finally:
        reader.close()
    return frames


@pytest.mark.parametrize(
    ("height", "matrix", "tag"),
    [
        (64, Colorspace.ITU709, 1),
        (64, Colorspace.ITU601, 6),
        (64, Colorspace.ITU601, 2),
        (720, Colorspace.ITU709, 2),
        (720, Colorspace.ITU601, 6),
    ],
)
def test_colours_are_converted_by_the_files_matrix_and_range(
    tmp_path: Path, height: int, matrix: Colorspace, tag: int
) -> None:
    path = tmp_path / "colour.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10), options={"crf": "1"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, height, "yuv420p"
        stream.codec_context.colorspace = tag
        rgb = av.VideoFrame.from_ndarray(np.full((height, 64, 3), COLOUR, dtype=np.uint8))
        frame = rgb.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG)
        frame.colorspace = tag
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (found,) = all_of(VideoReader(parse_input(str(path))))
    assert found.pixels.reshape(-1, 3).mean(axis=0) == pytest.approx(COLOUR, abs=4)


def test_every_third_frame_keeps_its_number_and_time(clip: Clip) -> None:
    reader = VideoReader(parse_input(str(clip.path)), every=3)
    assert reader.expected == 6
    assert reader.format.rate == Fraction(RATE, 3)
    frames = all_of(reader)
    assert [frame.number for frame in frames] == [0, 3, 6, 9, 12, 15]
    assert [frame.time for frame in frames] == [number / RATE for number in range(0, FRAMES, 3)]


def test_a_truncated_matroska_file_is_read_to_its_end(clip: Clip, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    with av.open(str(clip.path)) as source, av.open(str(whole), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    assert len(all_of(VideoReader(parse_input(str(whole))))) == FRAMES
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(VideoError, match="ends early: by its header"):
        all_of(VideoReader(parse_input(str(part))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/dev/video3", Input("/dev/video3", "v4l2", live=True)),
        ("rtsp://camera/1", Input("rtsp://camera/1", live=True)),
        ("udp://0.0.0.0:5000", Input("udp://0.0.0.0:5000", live=True)),
        ("https://host/x.mp4", Input("https://host/x.mp4", live=None)),
        ("file:///x.mp4", Input("file:///x.mp4", live=None)),
    ],
)
def test_input_arguments_are_parsed(text: str, expected: Input) -> None:
    assert parse_input(text) == expected


@given(st.lists(st.none() | st.integers(-(10**9), 10**9)), st.integers(-5, 1000))
def test_timestamps_start_at_zero_and_increase(stamps: list[int | None], step: int) -> None:
    timeline = Timeline(step)
    placed = [timeline.next_ticks(stamp) for stamp in stamps]
    assert placed[:1] in ([], [0])
    assert all(later > earlier for earlier, later in pairwise(placed))


@given(st.integers(-(10**6), 10**6), st.sets(st.integers(1, 10**6)))
def test_distances_between_timestamps_are_kept(origin: int, later: set[int]) -> None:
    timeline = Timeline(40)
    distances = [0, *sorted(later)]
    assert [timeline.next_ticks(origin + distance) for distance in distances] == distances


def test_a_clock_that_jumps_back_goes_on() -> None:
    timeline = Timeline(40)
    assert [timeline.next_ticks(stamp) for stamp in (9000, 9040, 5, 45, None, 125)] == [0, 40, 80, 120, 160, 200]
