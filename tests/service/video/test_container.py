"""Of all that can be in a file the video is taken that ffmpeg takes, and what is no video is named in one line."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from hiseg.video.frame import Frame, VideoError
from hiseg.video.inputs import parse_input
from hiseg.video.reader import VideoReader
from tests.service.video.clips import FRAMES, SIZE, Clip
from tests.service.video.running import hiseg_video


def make(ffmpeg: Path, out: Path, *arguments: object) -> Path:
    subprocess.run([ffmpeg, "-v", "error", "-y", *map(str, arguments), out], check=True)
    return out


def read(path: Path) -> tuple[list[Frame], tuple[str, ...]]:
    reader = VideoReader(parse_input(str(path)))
    try:
        return list(iter(reader.read, None)), reader.notes
    finally:
        reader.close()


SOUND = "-f", "lavfi", "-i", "sine=d=0.2"


@pytest.fixture
def cover(tmp_path: Path) -> Path:
    path = tmp_path / "cover.jpg"
    PIL.Image.new("RGB", (900, 900), "red").save(path)
    return path


def test_covers_are_no_videos(tmp_path: Path, ffmpeg: Path, clip: Clip, cover: Path) -> None:
    both = "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic"
    found, notes = read(make(ffmpeg, tmp_path / "film.mp4", "-i", cover, "-i", clip.path, *both))
    assert [frame.pixels.shape for frame in found] == [(SIZE[1], SIZE[0], 3)] * FRAMES
    assert not notes
    song = make(ffmpeg, tmp_path / "song.mp3", *SOUND, "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy")
    with pytest.raises(VideoError, match=r"song\.mp3 has a cover picture, but no video in it"):
        read(song)
    with pytest.raises(VideoError, match=r"sound\.mp4 has no video in it"):
        read(make(ffmpeg, tmp_path / "sound.mp4", *SOUND))


@pytest.mark.parametrize(("default", "width"), [(0, SIZE[0]), (1, 640)])
def test_of_several_videos_one_is_taken_and_noted(
    tmp_path: Path, ffmpeg: Path, clip: Clip, default: int, width: int
) -> None:
    flags = *("-map", "0", "-map", "1", "-disposition:v:0", "0", "-disposition:v:1", "0"), f"-disposition:v:{default}"
    path = tmp_path / "two.mkv"
    make(ffmpeg, path, "-i", clip.path, "-f", "lavfi", "-i", "testsrc=s=640x360:d=0.3", *flags, "default")
    found, notes = read(path)
    assert found[0].pixels.shape[1] == width
    assert notes == (f"of 2 videos in the file one of {width}x{found[0].pixels.shape[0]} was taken",)


NONE = {
    "empty.mp4": (b"", "is empty"),
    "text.txt": (b"hello world\n" * 50, "is text, and no video"),
    "text.mp4": (b"hello world\n" * 50, "is no video that FFmpeg knows"),
    "noise.mkv": (np.random.default_rng(0).bytes(4096), "is no video that FFmpeg knows"),
    "film.mp4.gz": (gzip.compress(b"0" * 999), "is no video that FFmpeg knows"),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_video_is_one_line(tmp_path: Path, name: str) -> None:
    content, said = NONE[name]
    path = tmp_path / name
    path.write_bytes(content)
    done = hiseg_video(path, "--json", tmp_path / "masks.jsonl", "--box", "1,1,50,50", expect=1)
    assert done.err.startswith(f"hiseg: {path} {said}")
    assert len(done.err.splitlines()) == 1


def test_a_video_that_begins_late_is_whole(tmp_path: Path, ffmpeg: Path, clip: Clip) -> None:
    late = make(ffmpeg, tmp_path / "late.mkv", "-i", clip.path, "-c", "copy", "-output_ts_offset", 5)
    found, _ = read(late)
    assert len(found) == FRAMES
    assert [frame.time for frame in found[:2]] == pytest.approx([0, 1 / 8], abs=0.002)
    # With sound from the beginning too: the video alone is late.
    sound = "-f", "lavfi", "-i", "sine=d=4"
    both = make(ffmpeg, tmp_path / "both.mkv", "-itsoffset", 1, "-i", clip.path, *sound, "-c:v", "copy")
    assert len(read(both)[0]) == FRAMES


def test_colours_that_cannot_be_converted_are_named(tmp_path: Path, ffmpeg: Path) -> None:
    strange = tmp_path / "strange.mkv"
    make(ffmpeg, strange, "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.1", "-c:v", "libx264", "-colorspace", "ycgco")
    with pytest.raises(VideoError, match=r"can't be read: the colours of its frames \(yuv\d+p, colour space 8\)"):
        read(strange)


def test_interlaced_and_hdr_videos_are_noted(tmp_path: Path, ffmpeg: Path) -> None:
    source = "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.2"
    fields = make(
        ffmpeg, tmp_path / "a.mpg", *source, "-vf", "setfield=tff", "-c:v", "mpeg2video", "-flags", "+ildct+ilme"
    )
    assert any("interlaced" in note for note in read(fields)[1])
    hdr = make(
        ffmpeg, tmp_path / "a.mkv", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-color_trc", "smpte2084"
    )
    assert any("HDR" in note for note in read(hdr)[1])


LOOKS = {
    "10 bits": ("yuv420p10le", "libx264", ()),
    "full range": ("yuvj420p", "libx264", ("-vf", "scale=out_range=full")),
    "BT.709": ("yuv420p", "libx264", ("-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709")),
    "BT.601": ("yuv420p", "libx264", ("-vf", "scale=out_color_matrix=bt601", "-colorspace", "smpte170m")),
    "BT.2020": ("yuv420p", "libx264", ("-vf", "scale=out_color_matrix=bt2020", "-colorspace", "bt2020nc")),
    "transparent": ("yuva420p", "libvpx-vp9", ("-vf", "format=yuva420p,colorchannelmixer=aa=0.5")),
    "grey": ("gray", "ffv1", ()),
    "grey, 10 bits": ("gray10le", "ffv1", ()),
    "planar RGB": ("gbrp", "ffv1", ()),
    "odd sides": ("yuv444p", "ffv1", ("-vf", "scale=101:67")),
    "motion JPEG": ("yuvj422p", "mjpeg", ()),
}


@pytest.mark.parametrize("look", LOOKS)
def test_colours_are_those_of_ffmpeg(tmp_path: Path, ffmpeg: Path, clip: Clip, look: str) -> None:
    pix_fmt, codec, filters = LOOKS[look]
    path = tmp_path / "look.mkv"
    make(ffmpeg, path, "-i", clip.path, "-frames:v", 1, *filters, "-c:v", codec, "-pix_fmt", pix_fmt, "-threads", 1)
    (found,), _ = read(path)
    command = [ffmpeg, "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.uint8)
    assert np.abs(found.pixels.astype(np.int16) - shown.reshape(found.pixels.shape)).mean() < 3


def test_titles_in_latin_1_are_no_reason_to_refuse_a_video(tmp_path: Path, ffmpeg: Path, clip: Clip) -> None:
    path = tmp_path / "old.avi"
    command = [ffmpeg, "-v", "error", "-i", clip.path, "-c", "copy", "-metadata", b"title=M\xfcller", path]
    subprocess.run(command, check=True)
    assert b"M\xfcller" in path.read_bytes()
    # AVI counts 32 frames, as every other one repeats the one before.
    assert len(read(path)[0]) == FRAMES
    whole, part = make(ffmpeg, tmp_path / "whole.avi", "-i", clip.path, "-c:v", "mjpeg"), tmp_path / "part.avi"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(VideoError, match="ends early: by its header"):
        read(part)


def test_a_codec_that_is_not_known_is_named(tmp_path: Path, clip: Clip) -> None:
    path = tmp_path / "strange.mp4"
    path.write_bytes(clip.path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match=r"strange\.mp4 has a video of a codec that FFmpeg doesn't know in it"):
        read(path)
