"""Raw frames on standard input and output, in processes of their own, as in a shell."""

from __future__ import annotations

import shlex
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.paths import ROOT
from tests.service.video.clips import FRAMES, RATE, SIZE, TOP, Clip, picture, read
from tests.service.video.running import COMMAND, COMMAND_END, lines

WIDTH, HEIGHT = SIZE
SOMEBODY = ["--box", "10,30,120,200"]
ASKED = ["--size", f"{WIDTH}x{HEIGHT}", "--fps", str(RATE)]


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, capture_output=True, timeout=120, check=False
    )


@pytest.mark.parametrize("form", ["nv12", "bgr24"])
def test_raw_frames_from_and_to_ffmpeg(clip: Clip, tmp_path: Path, ffmpeg: Path, form: str) -> None:
    video = shlex.join([*COMMAND, "-", "-o", "-", *ASKED, "--pixel-format", form, *COMMAND_END])
    masks, out = tmp_path / "masks.jsonl", tmp_path / "out.mkv"
    done = shell(
        f"{ffmpeg} -v error -i {clip.path} -f rawvideo -pix_fmt {form} - "
        f"| {video} --boxes {clip.boxes} --json {masks} --every 2 "
        f"| {ffmpeg} -v error -f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r {RATE / 2} -i - -c:v ffv1 {out}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert done.stderr.startswith(b"frames 8  dropped 0  ")
    assert [line["frame"] for line in lines(masks)] == list(range(0, FRAMES, 2))
    drawn, original = read(out)[0], read(clip.path)[0][::2]
    assert len(drawn) == len(original)
    for number, (one, other) in enumerate(zip(original, drawn, strict=True)):
        apart = np.abs(one.astype(int) - other).max(axis=2)
        assert 0.1 < (apart > 30).mean() < 0.6, "tinted"
        assert apart[: TOP - 4].mean() < 6, f"the colours of frame {number} are those of the input"


def test_half_a_frame_at_the_end_is_reported(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    command = [*COMMAND, "-", "-o", str(out), *ASKED, "--pixel-format", "rgb24", *SOMEBODY, *COMMAND_END]
    data = picture(0).tobytes() + picture(1).tobytes()[:1000]
    done = subprocess.run(command, input=data, capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 1
    assert b"within frame 1, 1000 of 264000 bytes" in done.stderr.splitlines()[-1]
    assert len(read(out)[0]) == 1


def test_the_first_signal_ends_the_run_cleanly(tmp_path: Path) -> None:
    out, masks = tmp_path / "out.mp4", tmp_path / "masks.jsonl"
    command = [
        *COMMAND,
        "-",
        "-o",
        str(out),
        "--json",
        str(masks),
        *ASKED,
        "--pixel-format",
        "rgb24",
        *SOMEBODY,
        *COMMAND_END,
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        for number in range(5):
            process.stdin.write(picture(number).tobytes())
        process.stdin.flush()
        # The last frame doesn't fit into the pipe, so the first four have been read; and it is still open.
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(30) == 130
        process.stdin.close()
    assert b"Traceback" not in told
    assert len(read(out)[0]) == len(lines(masks)) >= 4


def test_a_closed_output_pipe_is_reported(clip: Clip) -> None:
    video = shlex.join([*COMMAND, str(clip.path), "-o", "-", *SOMEBODY, *COMMAND_END])
    done = shell(f"set +o pipefail; {video} | head -c 1000 | wc -c")
    assert done.stdout.strip() == b"1000"
    assert done.stderr.splitlines()[-1] == b"hiseg: standard output can't be written: Broken pipe"
    assert b"Traceback" not in done.stderr
