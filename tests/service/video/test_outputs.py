"""Each container is written, probed by ffprobe, decoded by ffmpeg, and its frames compared with what was to be seen."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from hiseg.core.command_errors import BadOption
from hiseg.core.image import Pixels
from hiseg.video.looks import Look
from hiseg.video.outputs import TRANSPARENT, check_name, choose_codec, is_numbered
from tests.service.video.clips import FRAMES, RATE, SIZE, Clip, read
from tests.service.video.running import hiseg_video, lines

SOUND = ("-f", "lavfi", "-i", "sine=d=2:r=48000")


def probe(ffmpeg: Path, path: Path) -> dict[str, Any]:
    """The video as ffprobe tells of it, its frames counted."""
    command = [ffmpeg.with_name("ffprobe"), "-v", "error", "-count_frames", "-show_streams", "-of", "json", path]
    streams = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"]
    (video,) = (stream for stream in streams if stream["codec_type"] == "video")
    return {**video, "sound": [each["codec_name"] for each in streams if each["codec_type"] == "audio"]}


def decode(ffmpeg: Path, path: Path, channels: int = 3, *before: str) -> Pixels:
    """All frames, uint8 ``[N, H, W, channels]``."""
    pix_fmt = {1: "gray", 3: "rgb24", 4: "rgba"}[channels]
    command = [
        ffmpeg,
        "-v",
        "error",
        *before,
        "-i",
        path,
        "-f",
        "rawvideo",
        "-pix_fmt",
        pix_fmt,
        "-fps_mode",
        "passthrough",
    ]
    data = subprocess.run([*command, "-"], check=True, capture_output=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, SIZE[1], SIZE[0], channels)


@pytest.fixture(scope="module")
def masks(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    """Who is where in every fourth frame, bool ``[4, H, W]``."""
    path = tmp_path_factory.mktemp("masks") / "masks.jsonl"
    hiseg_video(clip.path, "--boxes", clip.boxes, "--json", path, "--every", 4)
    found = [[coco_mask.decode(each["mask"]) > 0 for each in line["instances"]] for line in lines(path)]
    return np.array([np.any(each, axis=0) for each in found])


def write(clip: Clip, out: Path, *arguments: object) -> str:
    return hiseg_video(clip.path, "--boxes", clip.boxes, "--every", 4, "-o", out, *arguments).err


def inner(masks: Pixels) -> tuple[Pixels, Pixels]:
    """Pixels that are surely people, and surely none: some pixels away from edges."""
    soft = np.array([cv2_blur(mask) for mask in masks])
    return soft > 254, soft < 1


def cv2_blur(mask: Pixels) -> Pixels:
    import cv2

    return np.asarray(cv2.blur(mask.astype(np.float32) * 255, (9, 9)))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "h264"), ("mov", "h264"), ("mkv", "h264"), ("avi", "h264"), ("webm", "vp9"), ("gif", "gif")],
)
def test_a_matte_in_each_container(
    clip: Clip, tmp_path: Path, ffmpeg: Path, masks: Pixels, suffix: str, codec: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    write(clip, out, "--as", "matte")
    found = probe(ffmpeg, out)
    assert (found["codec_name"], found["width"], found["height"]) == (codec, *SIZE)
    grey = decode(ffmpeg, out, 1)[..., 0]
    assert len(grey) == FRAMES // 4
    people, nobody = inner(masks)
    assert grey[people].mean() > 245
    assert grey[nobody].mean() < 6
    assert ((grey > 127) != masks).mean() < 0.01
    if suffix != "avi":  # which counts ticks, and has frames that repeat others for those without one
        assert [float(time) for time in read(out)[1]] == pytest.approx([n * 4 / RATE for n in range(4)], abs=0.006)


@pytest.mark.parametrize(
    ("suffix", "codec", "decoder"), [("mov", "prores", ()), ("webm", "vp9", ("-c:v", "libvpx-vp9"))]
)
def test_transparency_comes_back(
    clip: Clip, tmp_path: Path, ffmpeg: Path, masks: Pixels, suffix: str, codec: str, decoder: tuple[str, ...]
) -> None:
    out = tmp_path / f"out.{suffix}"
    write(clip, out, "--as", "alpha")
    found = probe(ffmpeg, out)
    assert found["codec_name"] == codec
    rgba = decode(ffmpeg, out, 4, *decoder)
    people, nobody = inner(masks)
    assert rgba[..., 3][people].mean() > 245
    assert rgba[..., 3][nobody].mean() < 6
    before = np.array(read(clip.path)[0][::4])
    assert np.abs(rgba[..., :3][people].astype(int) - before[people]).mean() < 12


def test_a_picture_of_each_frame(clip: Clip, tmp_path: Path, ffmpeg: Path, masks: Pixels) -> None:
    write(clip, tmp_path / "%04d.png", "--as", "alpha")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n:04}.png" for n in range(1, 5)]
    rgba = decode(ffmpeg, tmp_path / "%04d.png", 4)
    people, nobody = inner(masks)
    assert (rgba[..., 3][people] == 255).all()
    assert not rgba[..., 3][nobody].any()
    np.testing.assert_array_equal(rgba[..., :3][people], np.array(read(clip.path)[0][::4])[people])


def test_people_over_a_colour(clip: Clip, tmp_path: Path, ffmpeg: Path, masks: Pixels) -> None:
    write(clip, tmp_path / "out.mp4", "--background", "#0000ff")
    people, nobody = inner(masks)
    frames = decode(ffmpeg, tmp_path / "out.mp4").astype(int)
    assert np.abs(frames[nobody] - (0, 0, 255)).mean() < 8
    assert np.abs(frames[people] - np.array(read(clip.path)[0][::4])[people]).mean() < 10


@pytest.mark.parametrize(
    ("encoder", "suffix", "sound"),
    [
        ("aac", "mp4", ["aac"]),
        ("aac", "mkv", ["aac"]),
        ("libopus", "webm", ["opus"]),
        ("aac", "webm", []),
        ("aac", "gif", []),
    ],
)
def test_sound_is_copied_where_the_container_holds_it(
    clip: Clip, tmp_path: Path, ffmpeg: Path, encoder: str, suffix: str, sound: list[str]
) -> None:
    source, out = tmp_path / "in.mkv", tmp_path / f"out.{suffix}"
    command = [ffmpeg, "-v", "error", "-i", clip.path, *SOUND, "-c:v", "copy", "-c:a", encoder, source]
    subprocess.run(command, check=True)
    done = hiseg_video(source, "-o", out, "--every", 4, "--box", "1,1,50,50")
    found = probe(ffmpeg, out)
    assert found["sound"] == sound
    assert ("the sound is left out" in done.err) == (not sound)
    assert [float(time) for time in read(out)[1]] == pytest.approx([n * 4 / RATE for n in range(4)], abs=0.006)
    if sound:
        heard = [heard_samples(ffmpeg, path) for path in (source, out)]
        assert len(heard[1]) == pytest.approx(96_000, abs=2_000), "to the end of the last frame"
        length = len(heard[1]) - 4_000
        best = max(abs(np.corrcoef(heard[0][k : k + length], heard[1][:length])[0, 1]) for k in range(0, 2_100, 4))
        assert best > 0.95


def heard_samples(ffmpeg: Path, path: Path) -> Pixels:
    command = [ffmpeg, "-v", "error", "-i", path, "-vn", "-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.int16).astype(float)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "look", "told"),
    [
        ("a.xyz", Look.OVERLAY, "there is .mp4, .m4v, .mov, .mkv, .avi, .webm, .gif, and %04d.png"),
        ("a", Look.MATTE, "says no container"),
        ("a.png", Look.ALPHA, "is one picture"),
        ("%d%d.png", Look.ALPHA, "is one picture"),
        ("a.gif", Look.ALPHA, "holds no transparency, for --as alpha; there is .mov, .webm and %04d.png"),
    ],
)
def test_names_that_cannot_be_are_refused(name: str, look: Look, told: str) -> None:
    with pytest.raises(BadOption) as raised:
        check_name(Path(name), look)
    assert told in str(raised.value)


def test_a_codec_that_is_not_there_is_named() -> None:
    with pytest.raises(BadOption, match=r"needs prores_ks, which this build of PyAV doesn't have; try %04d\.png"):
        choose_codec(Path("a.mov"), Look.ALPHA, {"libx264"})
    assert choose_codec(Path("a.MOV"), Look.ALPHA, {"prores_ks"}) is TRANSPARENT["mov"][0]
    assert choose_codec(Path("a.mp4"), Look.MATTE, {"mpeg4"}).name == "mpeg4"


def test_numbered_names() -> None:
    assert all(is_numbered(Path(name)) for name in ("%d.png", "a/f_%04d.PNG", "%6d.png"))
    assert not any(is_numbered(Path(name)) for name in ("a.png", "%d/a.png", "%04d.jpg", "%d%d.png"))
