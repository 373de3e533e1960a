"""Real H.264 clips: the sample photo moves over a background, so that the boxes of every frame are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from hiseg.core.image import Pixels

FRAMES = 16
RATE = 8
SIZE = 400, 220
SCALE = 0.36
STEP = 3
TOP = 20


@dataclass(frozen=True)
class Clip:
    """A video file, and where the people are in it."""

    path: Path
    boxes: Path
    rows: list[list[list[float]]]


def picture(number: int, size: tuple[int, int] = SIZE) -> Pixels:
    """One frame: a grey slope, and the photo a step further to the right each time."""
    with PIL.Image.open(SAMPLE) as photo:
        small = photo.convert("RGB").resize((round(photo.width * SCALE), round(photo.height * SCALE)))
    grey = np.linspace(60, 200, size[0]).astype(np.uint8)
    frame = np.repeat(np.tile(grey, (size[1], 1))[:, :, None], 3, axis=2)
    left = number * STEP
    frame[TOP : TOP + small.height, left : left + small.width] = np.asarray(small)
    return frame


def rows(number: int) -> list[list[float]]:
    """The boxes on it."""
    shift = np.array([number * STEP, TOP, number * STEP, TOP])
    return [[round(float(v), 2) for v in np.array(box) * SCALE + shift] for box in SAMPLE_BOXES]


def make(folder: Path, size: tuple[int, int] = SIZE, frames: int = FRAMES, pix_fmt: str = "yuv420p") -> Clip:
    """Write the video, its header first, and its boxes as a JSONL file."""
    clip = Clip(folder / "clip.mp4", folder / "boxes.jsonl", [rows(number) for number in range(frames)])
    with av.open(str(clip.path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"crf": "12", "g": "4"})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, size))))
        container.mux(stream.encode(None))
    lines = [json.dumps({"frame": number, "boxes": boxes}) for number, boxes in enumerate(clip.rows)]
    clip.boxes.write_text("\n".join(lines) + "\n")
    return clip


def read(path: Path) -> tuple[list[Pixels], list[Fraction], float]:
    """Pixels, timestamps and seconds in all of a video file, by PyAV's own defaults."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        seconds = float((stream.duration or 0) * (stream.time_base or 0))  # 0 where the container doesn't say
        pixels = [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in frames]
        return pixels, [Fraction(frame.pts or 0) * (frame.time_base or 0) for frame in frames], seconds


def difference(one: Pixels, other: Pixels) -> Pixels:
    """How far apart two images are at each pixel, noise of the codec smoothed away."""
    return np.asarray(cv2.blur(cv2.absdiff(one, other).max(axis=2), (5, 5)), dtype=np.uint8)
