"""Turned and mirrored videos are read as ffmpeg shows them, and what is written is upright for every player."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from av.video.stream import VideoStream

from hiseg.core.image import Pixels
from hiseg.video.display import BY_ORIENTATION, ORIENTATION
from hiseg.video.frame import Frame, VideoError
from hiseg.video.inputs import parse_input
from hiseg.video.reader import VideoReader
from tests.service.video.clips import difference, picture, read
from tests.service.video.running import hiseg_video, lines

SIZE = 400, 220
ONE = 1 << 16
"""1 in a display matrix, whose numbers have 16 bits behind the point; those of its last column have 30."""
WAYS = {
    "as it is": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "upside down, mirrored": (1, 0, 0, -1),
    "half a turn": (-1, 0, 0, -1),
    "a quarter right": (0, 1, -1, 0),
    "a quarter left": (0, -1, 1, 0),
    "along the diagonal": (0, 1, 1, 0),
    "along the other diagonal": (0, -1, -1, 0),
    "twice the size": (2, 0, 0, 2),
    "nothing": (0, 0, 0, 0),
    "half a degree": (1, 0.008, -0.008, 1),
}
CODECS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx-vp9"}


def write(path: Path, way: Sequence[float], aspect: Fraction = Fraction(1)) -> Path:
    """Two frames of the clip, stored as they are, with a display matrix."""
    a, b, c, d = (round(value * ONE) for value in way)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix[1:]], rate=Fraction(10))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for number in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number))))
        container.mux(stream.encode(None))
    return path


def frames(path: Path) -> list[Frame]:
    reader = VideoReader(parse_input(str(path)))
    try:
        return list(iter(reader.read, None))
    finally:
        reader.close()


def shown(ffmpeg: Path, path: Path, size: tuple[int, int]) -> list[Pixels]:
    """What ffmpeg makes of a video by default; an error if the frames have another (width, height)."""
    command = [ffmpeg, "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return list(np.frombuffer(data, np.uint8).reshape(-1, size[1], size[0], 3))


@pytest.mark.parametrize("container", CODECS)
@pytest.mark.parametrize("way", WAYS)
def test_frames_are_those_that_ffmpeg_shows(tmp_path: Path, ffmpeg: Path, container: str, way: str) -> None:
    path = write(tmp_path / f"turned.{container}", WAYS[way])
    found = frames(path)
    size = found[0].pixels.shape[1::-1]
    assert size == (SIZE[::-1] if WAYS[way][1] and not WAYS[way][0] else SIZE)
    expected = shown(ffmpeg, path, size)
    assert len(found) == len(expected) == 2
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.pixels.flags.c_contiguous
        assert difference(ours.pixels, theirs).mean() < 3


@pytest.mark.parametrize("angle", [2, 45, 100])
def test_other_angles_are_refused(tmp_path: Path, angle: int) -> None:
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    with pytest.raises(VideoError, match=f"turned by {angle} degrees: only quarter turns"):
        frames(write(tmp_path / "turned.mp4", (cos, sin, -sin, cos)))


def test_the_turn_that_the_codec_notes_counts_too(tmp_path: Path, ffmpeg: Path) -> None:
    plain, noted = write(tmp_path / "plain.mkv", WAYS["as it is"]), tmp_path / "noted.mkv"
    note = "h264_metadata=display_orientation=insert:rotate=90:flip=vertical"
    command = [ffmpeg, "-v", "error", "-i", plain, "-c", "copy", "-bsf:v", note, noted]
    subprocess.run(command, check=True)
    (first, _), expected = frames(noted), shown(ffmpeg, noted, SIZE[::-1])
    assert difference(first.pixels, expected[0]).mean() < 3


def test_the_tag_of_old_programs_is_a_matrix_to_ffmpeg(tmp_path: Path, ffmpeg: Path) -> None:
    plain, tagged = write(tmp_path / "plain.mp4", WAYS["as it is"]), tmp_path / "tagged.mov"
    command = [ffmpeg, "-v", "error", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", tagged]
    subprocess.run(command, check=True)
    (first, _) = frames(tagged)
    expected = shown(ffmpeg, tagged, first.pixels.shape[1::-1])
    assert difference(first.pixels, expected[0]).mean() < 3


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", BY_ORIENTATION)
def test_pictures_are_shown_by_their_exif(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(picture(0)).save(path, exif=exif)
    (found,) = frames(path)
    with PIL.Image.open(path) as image:
        expected = np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))
    assert difference(found.pixels, expected).mean() < 3


@pytest.mark.parametrize("way", ["upside down, mirrored", "a quarter right", "along the diagonal"])
def test_output_is_upright_and_boxes_are_those_of_the_upright_frames(tmp_path: Path, ffmpeg: Path, way: str) -> None:
    source, out, masks = write(tmp_path / "a.mov", WAYS[way], Fraction(4, 3)), tmp_path / "b.mp4", tmp_path / "b.jsonl"
    upright = frames(source)[0]
    height, width = upright.pixels.shape[:2]
    hiseg_video(source, "-o", out, "--json", masks, "--box", f"0,0,{width},{height}")
    (first, *_), *_ = read(out)
    assert first.shape == upright.pixels.shape
    assert lines(masks)[0]["instances"][0]["mask"]["size"] == [height, width]
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert next(container.decode(stream)).rotation == 0
        assert stream.sample_aspect_ratio == (Fraction(3, 4) if width < height else Fraction(4, 3))
    assert difference(shown(ffmpeg, out, (width, height))[0], first).mean() < 3
