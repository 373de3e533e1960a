"""``hiseg run`` for many photos: what is written for each, what is left out, and how a run goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import HISEG, ROOT, SAMPLE, SAMPLE_BOXES
from hiseg.photos import journal
from tests.service.cli.running import assert_one_line, call

BOXES = [part for box in SAMPLE_BOXES for part in ("--box", ",".join(f"{v:g}" for v in box))]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos, two of them of one name but for the suffix, and two files that are none."""
    folder = tmp_path / "my photos"
    (folder / "süb").mkdir(parents=True)
    with PIL.Image.open(SAMPLE) as sample:
        small = sample.resize((475, 256))
    for name in ("a.jpg", "a.png", "süb/-b.jpg"):
        small.save(folder / name)
    (folder / "notes.txt").write_text("?")
    (folder / "false.jpg").write_text("?")
    return folder


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Boxes of two of the photos, and of one that isn't there."""
    rows = [[v / 2 for v in box] for box in SAMPLE_BOXES]
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps({"a.jpg": rows, "-b.jpg": rows[:1], "gone.jpg": rows}))
    return file


def written(folder: Path) -> list[str]:
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.endswith(journal.NAME))


def test_overlays_of_a_folder_and_what_is_said(photos: Path, boxes: Path, tmp_path: Path) -> None:
    out = photos / "out"
    done = call("run", photos, "--boxes", boxes, "-o", f"{out}/")
    assert written(out) == ["a.jpg.png", "süb/-b.png"]
    assert done.text == (
        f"2 of 4 photos done; 2 without boxes in {boxes}; 1 name in {boxes} without a photo; 1 other file left out; "
        f"results in {out}/\n"
    )
    stamps = [(out / name).stat().st_mtime_ns for name in written(out)]
    again = call("run", photos, "--boxes", boxes, "-o", out)
    assert "0 of 4 photos done; 2 done before, which --overwrite does again" in again.text
    assert [(out / name).stat().st_mtime_ns for name in written(out)] == stamps
    (out / "süb" / "-b.png").unlink()
    assert "1 of 4 photos done; 1 done before" in call("run", photos, "--boxes", boxes, "-o", out).text
    done = call("run", photos, "--boxes", boxes, "-o", out, "--threshold", "0.7", expect=1)
    assert_one_line(done.err, f"{out} has results of other options: --threshold was 0.5 and is 0.7 now")
    again = call("run", photos, "--boxes", boxes, "-o", out, "--threshold", "0.7", "--overwrite")
    assert "2 of 4 photos done" in again.text
    other = call("run", photos, "--boxes", boxes, "-o", tmp_path / "other")
    assert "1 folder of earlier results left out" in other.text


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--mask-format", "png"], ["-b-1.png", "a-1.png", "a-2.png"]),
        (["--mask-format", "cutout", "--output-type", "webp"], ["-b.webp", "a.webp"]),
        (["--output-type", "jpg"], ["-b.jpg", "a.jpg"]),
        (["--mask-format", "polygon"], ["-b.json", "a.json"]),
    ],
)
def test_each_format(photos: Path, boxes: Path, tmp_path: Path, arguments: list[str], names: list[str]) -> None:
    out = tmp_path / "out"
    call("run", photos / "a.jpg", photos / "süb" / "-b.jpg", "--boxes", boxes, "-o", out, *arguments)
    assert sorted(Path(name).name for name in written(out)) == names
    for name in written(out):
        if name.endswith(".json"):
            answer = json.loads((out / name).read_text())
            assert {each["mask"]["format"] for each in answer["instances"]} == {"polygon"}
        else:
            with PIL.Image.open(out / name) as picture:
                assert (picture.size, picture.format) == (
                    (475, 256),
                    {".jpg": "JPEG"}.get(Path(name).suffix, picture.format),
                )


def test_photos_that_fail_are_listed_and_the_others_done(photos: Path, tmp_path: Path) -> None:
    (photos / "empty.png").touch()
    (photos / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(photos / "pipe.jpg")
    half = [part for box in SAMPLE_BOXES for part in ("--box", ",".join(f"{v / 2:g}" for v in box))]
    done = call(
        "run",
        f"{photos}/*",
        photos / "pipe.jpg",
        *half,
        "-o",
        tmp_path / "out",
        "--json",
        tmp_path / "all.jsonl",
        expect=1,
    )
    failed = [line.split(": ")[1] for line in done.err.splitlines()]
    assert failed == ["broken.jpg", "empty.png", "false.jpg", "pipe.jpg"]
    assert "3 of 7 photos done; 4 failed" in done.text
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert {line["photo"] for line in lines} == {"a.jpg", "a.png", "süb/-b.jpg"}
    assert [len(line["instances"]) for line in lines] == [2, 2, 2]


def test_lines_go_on_after_the_last_whole_one(photos: Path, boxes: Path, tmp_path: Path) -> None:
    lines = tmp_path / "all.jsonl"
    arguments = ["run", photos, "--boxes", boxes, "--json", lines]
    call(*arguments)
    whole = lines.read_bytes()
    first = whole.splitlines(keepends=True)[0]
    record = tmp_path / f".all.jsonl{journal.NAME}"
    kept = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(kept[:3]) + kept[3][:20])
    lines.write_bytes(whole[:-9])
    assert "1 of 4 photos done; 1 done before" in call(*arguments).text
    assert lines.read_bytes().startswith(first)
    # Lines come in the order in which photos are done.
    assert sorted(json.loads(line)["photo"] for line in lines.read_text().splitlines()) == ["a.jpg", "süb/-b.jpg"]
    lines.write_bytes(b"")
    assert_one_line(call(*arguments, expect=1).err, "isn't what this run wrote before")
    call(*arguments, "--overwrite")
    assert len(lines.read_bytes()) == pytest.approx(len(whole), abs=40)
    printed = call("run", photos, "--boxes", boxes, "--json", "-")
    assert len(printed.out.splitlines()) == 2
    assert "2 of 4 photos done" in printed.err


def test_in_binary_mode_no_boxes_are_needed(photos: Path, tmp_path: Path) -> None:
    (photos / "false.jpg").unlink()
    done = call("run", photos, "--mode", "binary", "--mask-format", "label_map", "-o", tmp_path / "out")
    assert "3 of 3 photos done" in done.text
    with PIL.Image.open(tmp_path / "out" / "a.jpg.png") as labels:
        assert set(np.unique(np.asarray(labels))) <= {0, 1}


def test_a_run_that_is_interrupted_goes_on(photos: Path, tmp_path: Path) -> None:
    (photos / "false.jpg").unlink()
    for number in range(60):
        (photos / f"{number}.jpg").hardlink_to(photos / "a.jpg")
    out = tmp_path / "out"
    arguments = [HISEG, "run", photos, *BOXES[:2], "-o", out]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        until = time.monotonic() + 60
        while len(written(out) if out.exists() else []) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGINT, "")
    assert "stopped; the same command does the rest" in said
    count = len(written(out))
    assert 3 <= count < 63
    rest = call("run", photos, *BOXES[:2], "-o", out).text
    assert f"{63 - count} of 63 photos done; {count} done before" in rest
    assert len(written(out)) == 63


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{}", "-o", "{}/out"], "there are no boxes; give --boxes FILE"),
        (["{}", *BOXES], "nothing would be written; -o OUT/"),
        (["{}", *BOXES, "-o", "-"], "give -o a folder"),
        (["{}", *BOXES, "-o", "{}"], "is a folder of photos; choose another"),
        (["{}", *BOXES, "-o", "{}/notes.txt"], "is a file; for many photos it is a folder"),
        (["{}", *BOXES, "-o", "{}/out.png"], "is a picture's name, and there are many photos; give -o a folder"),
        (["{}", "-", *BOXES, "-o", "{}/out"], "can't stand beside others"),
        (["{}/*.gif", *BOXES, "-o", "{}/out"], "nothing fits"),
        (["{}/*.txt", *BOXES, "-o", "{}/out"], "there are no photos in"),
        (["{}", "https://example.org/a.jpg", *BOXES, "-o", "{}/out"], "is a URL"),
        (
            ["{}", "--boxes", "{}/none.json", "-o", "{}/out"],
            "none.json has boxes of none of the photos, such as 'a.jpg', but of 'other.jpg'",
        ),
        (["{}", *BOXES, "-o", "{}/out", "--mask-format", "png", "--output-type", "jpg"], "written as .png alone"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(photos: Path, arguments: list[str], told: str) -> None:
    (photos / "none.json").write_text('{"other.jpg": [[1, 2, 3, 4]]}')
    done = call("run", *(argument.replace("{}", str(photos)) for argument in arguments), expect=1)
    assert_one_line(done.err, told)
    assert not (photos / "out").exists()


def test_files_of_others_are_not_written_over(photos: Path, boxes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg.png").write_bytes(b"mine")
    for _ in range(2):
        assert_one_line(call("run", photos, "--boxes", boxes, "-o", out, expect=1).err, "is there already")
    assert (out / "a.jpg.png").read_bytes() == b"mine"
    call("run", photos, "--boxes", boxes, "-o", out, "--overwrite")
    assert (out / "a.jpg.png").read_bytes() != b"mine"
