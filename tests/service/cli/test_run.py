"""``hiseg run`` for one photo: files, standard streams, options, and what is refused before any work."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import HISEG, ROOT, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import Server, serving
from hiseg.core.extras import OF_EXTRAS, OF_THE_SERVICE
from tests.service.cli.running import assert_one_line, call, hiseg
from tests.service.cli.test_main import WITHOUT_THE_SERVICE

BOXES = [part for box in SAMPLE_BOXES for part in ("--box", ",".join(f"{v:g}" for v in box))]
NOTHING_WRITTEN = "hiseg: nothing written; -o out.png writes a picture, --json out.json the masks\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(api_keys=f"k:{hashlib.sha256(b'secret').hexdigest()}") as running:
        yield running


def read(picture: Path | bytes) -> PIL.Image.Image:
    opened = PIL.Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture)
    opened.load()
    return opened


def test_run_draws_the_people_and_writes_the_answer(tmp_path: Path) -> None:
    picture, answer = tmp_path / "out.png", tmp_path / "out.json"
    done = hiseg("run", SAMPLE, *BOXES, "-o", picture, "--json", answer)
    assert done.stdout.count("pixels, score") == 2
    assert "infer" in done.stdout
    assert done.stdout.endswith(f"wrote {picture}, {answer}\n")
    drawn, original = read(picture), read(SAMPLE)
    assert drawn.size == original.size
    assert (np.asarray(drawn) != np.asarray(original)).any(axis=2).mean() > 0.2
    assert len(json.loads(answer.read_text())["instances"]) == 2


def test_nothing_is_left_of_a_run_whose_picture_nobody_reads() -> None:
    arguments = [HISEG, "run", SAMPLE, *BOXES, "-o", "-"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_standard_streams() -> None:
    done = call("run", "-", *BOXES, "-o", "-", stdin=SAMPLE.read_bytes())
    assert (read(done.out).format, read(done.out).size) == ("PNG", read(SAMPLE).size)
    assert done.err.count("pixels, score") == 2
    typed = call("run", SAMPLE, *BOXES, "-o", "-", "--output-type", "webp")
    assert read(typed.out).format == "WEBP"
    answer = call("run", "-", *BOXES, "--json", "-", stdin=SAMPLE.read_bytes())
    assert len(json.loads(answer.out)["instances"]) == 2


def test_streams_that_are_closed_or_full_are_told_of_in_a_sentence() -> None:
    photo, program = f"{SAMPLE} {' '.join(BOXES)}", f"{sys.executable} -m hiseg run"
    lines = {
        f"{photo} -o - > /dev/full": "standard output can't be written: No space left on device",
        f"{SAMPLE.parent} {' '.join(BOXES)} --json - > /dev/full": "standard output can't be written: No space",
        f"{photo} -o - >&-": "standard output is closed",
        f"- {' '.join(BOXES)} -o - <&-": "- reads from standard input, which is closed",
    }
    script = "; ".join(f"{program} {line}" for line in lines)
    done = subprocess.run(f"{script}; {program} {photo} >&-", shell=True, capture_output=True, text=True, cwd=ROOT)
    said = done.stderr.splitlines()
    for line, told in zip(said, lines.values(), strict=False):
        assert told in line
    assert (len(said), said[-1], done.returncode) == (len(lines) + 1, NOTHING_WRITTEN.strip(), 0)


def test_the_type_of_picture_is_what_the_name_says(tmp_path: Path) -> None:
    for name, form, mode in (("a.jpg", "JPEG", "RGB"), ("a.JPEG", "JPEG", "RGB"), ("a.webp", "WEBP", "RGBA")):
        done = call("run", SAMPLE, *BOXES, "--mask-format", "cutout", "-o", tmp_path / name)
        assert (read(tmp_path / name).format, read(tmp_path / name).mode) == (form, mode)
        assert ("the cut-out is on white" in done.err) == (form == "JPEG")
    assert np.asarray(read(tmp_path / "a.jpg"))[:10, :10].min() > 250


def test_a_black_and_white_mask_for_each_person(tmp_path: Path) -> None:
    done = call("run", SAMPLE, *BOXES, "--mask-format", "png", "-o", tmp_path / "mask.png")
    assert done.text.endswith(f"wrote {tmp_path}/mask-1.png, {tmp_path}/mask-2.png\n")
    for number in (1, 2):
        mask = read(tmp_path / f"mask-{number}.png")
        assert (mask.mode, mask.size) == ("L", read(SAMPLE).size)
        assert set(np.unique(np.asarray(mask))) == {0, 255}
        assert f": {np.count_nonzero(np.asarray(mask))} pixels" in done.text
    call("run", SAMPLE, *BOXES[:2], "--mask-format", "png", "-o", tmp_path / "one.png")
    assert set(np.unique(np.asarray(read(tmp_path / "one.png")))) == {0, 255}


def test_a_format_of_answers_makes_an_overlay_and_says_so(tmp_path: Path) -> None:
    done = call("run", SAMPLE, *BOXES, "--mask-format", "polygon", "-o", tmp_path / "a.png")
    assert_one_line(done.err, "the picture is an overlay; --json FILE writes --mask-format polygon")


def test_run_in_binary_mode() -> None:
    done = call("run", SAMPLE, "--mode", "binary", "--json", "-")
    assert (area := json.loads(done.out)["foreground"]["area"]) > 0
    assert f"everybody: {area} pixels" in done.err


def test_run_tells_of_a_box_outside_the_photo_and_that_nothing_is_written() -> None:
    done = call("run", SAMPLE, *BOXES, "--box", "2200,15,2300,512")
    assert done.err == f"hiseg: boxes[2] lies outside the image\n{NOTHING_WRITTEN}"
    assert done.text.count("pixels, score") == 3


def test_run_writes_masks_in_other_formats(tmp_path: Path) -> None:
    picture, answer = tmp_path / "out.png", tmp_path / "out.json"
    how = ("--smoothing", "edge", "--dilation-px", "5", "--resolve-overlaps")
    call("run", SAMPLE, *BOXES, "--mask-format", "cutout", "-o", picture, "--json", answer, *how)
    everybody = read(picture)
    assert everybody.mode == "RGBA"
    opaque = np.asarray(everybody)[:, :, 3] == 255
    instances = json.loads(answer.read_text())["instances"]
    assert [instance["mask"]["format"] for instance in instances] == ["cutout"] * 2
    assert opaque.sum() == sum(instance["area"] for instance in instances)


@pytest.mark.parametrize(
    ("boxes", "photo"),
    [
        ({"people.jpg": SAMPLE_BOXES}, SAMPLE),
        ({"else/people.jpg": SAMPLE_BOXES}, SAMPLE),
        (SAMPLE_BOXES, SAMPLE),
        ({"anything.jpg": SAMPLE_BOXES}, "-"),
    ],
)
def test_boxes_of_a_file(tmp_path: Path, boxes: object, photo: str | Path) -> None:
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps(boxes))
    assert call("run", photo, "--boxes", file, stdin=SAMPLE.read_bytes()).text.count("pixels, score") == 2


def test_a_server_gives_the_same_files(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISEG_API_KEY", "secret")
    for form in ("cutout", "label_map"):
        written = []
        for how in (["--repository", REPOSITORY], ["--server", server.url], ["--server", server.grpc]):
            files = [tmp_path / f"{len(written)}.png", tmp_path / f"{len(written)}.json"]
            call("run", SAMPLE, *BOXES, "--mask-format", form, "-o", files[0], "--json", files[1], *how)
            answer = json.loads(files[1].read_text())
            assert set(answer.pop("timings_ms")) >= {"decode", "infer"}
            for instance in answer["instances"]:
                instance["score"] = round(instance["score"], 5)  # gRPC has it in single precision
            written.append((files[0].read_bytes(), answer))
        assert written[0] == written[1] == written[2]


def test_a_plain_install_writes_by_a_server_what_needs_no_library(tmp_path: Path, server: Server) -> None:
    of_typer = {"annotated_types", "pydantic", "pydantic_core"}
    missing = ",".join(sorted({*OF_THE_SERVICE, *OF_EXTRAS, "onnxruntime"} - of_typer))
    run = f"run {SAMPLE} {' '.join(BOXES)} --api-key secret --server {server.url}"
    lines = [
        f"{run} --mask-format label_map -o {tmp_path}/labels.png --json {tmp_path}/a.json",
        f"{run} --mask-format png -o {tmp_path}/mask.png",
        f"{run} -o {tmp_path}/overlay.png",
        f"{run} --mask-format coco_rle -o {tmp_path}/overlay.png",
        f"{run} --mask-format png --json {tmp_path}/b.json",
        f"run {SAMPLE} {' '.join(BOXES)} -o {tmp_path}/labels.png --mask-format label_map",
    ]
    command = [sys.executable, "-c", WITHOUT_THE_SERVICE, missing, *lines]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    ended = [line.rpartition(" ")[2] for line in done.stdout.splitlines() if " ended with " in line]
    assert ended == ["0", "0", "1", "1", "1", "1"]
    needy = ["--mask-format overlay"] * 2 + ["--mask-format png", "making masks without --server"]
    said = [line.partition(" needs packages that aren't installed: ") for line in done.stderr.splitlines()]
    assert [what for what, _, _ in said] == [f"hiseg: {each}" for each in needy]
    assert all("pip install" in how for _, _, how in said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "labels.png", "mask-1.png", "mask-2.png"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([SAMPLE, "--box", "1,2,3"], "--box: '1,2,3' has 3 numbers; a box has 4"),
        ([SAMPLE, "--box", "a,b"], "--box: 'a,b' isn't four numbers"),
        ([SAMPLE, "--variant", "b9", *BOXES], "b9"),
        ([ROOT / "pyproject.toml", *BOXES], "image/jpeg"),
        ([SAMPLE], "there are no boxes; give --box x1,y1,x2,y2 for each person, or --mode binary"),
        ([SAMPLE, "--box", "2200,15,2300,512"], "boxes[0] lies outside the image"),
        ([SAMPLE, "--box", "0.1,0.1,0.5,0.9"], "normalized"),
        ([SAMPLE, "--box", "22", "15", "365", "512"], "with commas and no blanks: --box 22,15,365,512"),
        (["nowhere.jpg", *BOXES], "nowhere.jpg does not exist"),
        (["https://example.org/a.jpg", *BOXES], "curl -sSL 'https://example.org/a.jpg' | hiseg run -"),
        (["-", *BOXES], "there is nothing on standard input"),
        ([SAMPLE, *BOXES, "-o", "-", "--json", "-"], "would both write to standard output"),
        ([SAMPLE, *BOXES, "-o", "out.gif"], "ends with none of .png, .jpg, .jpeg, .webp"),
        ([SAMPLE, *BOXES, "-o", "out"], "a folder of results is written with a slash at its end: out/"),
        ([SAMPLE, *BOXES, "-o", "out.json"], "--json FILE writes the answer"),
        ([SAMPLE, *BOXES, "-o", "no/such/out.png"], "there is no folder no/such"),
        ([SAMPLE, *BOXES, "--json", "no/such/out.json"], "there is no folder no/such"),
        ([SAMPLE, *BOXES, "--json", SAMPLE.parent], "is a folder"),
        ([SAMPLE, *BOXES, "-o", SAMPLE], "is the photo itself, which would be lost"),
        ([SAMPLE, *BOXES, "--json", SAMPLE], "is the photo itself, which would be lost"),
        ([SAMPLE, *BOXES, "-o", "x.png", "--json", "x.png"], "are the same file"),
        ([SAMPLE, *BOXES, "-o", "x.png", "--output-type", "jpg"], "is a .png, and --output-type is jpg"),
        ([SAMPLE, *BOXES, "-o", "x.jpg", "--mask-format", "label_map"], "label_map is written as .png alone"),
        ([SAMPLE, *BOXES, "-o", "-", "--mask-format", "png"], "is a picture for each person"),
        ([SAMPLE, *BOXES, "--boxes", "b.json"], "either --boxes or --box"),
        ([SAMPLE, "--boxes", "b.json"], "b.json does not exist"),
        ([SAMPLE, *BOXES, "--model", ""], "model: it is empty"),
        ([SAMPLE, *BOXES, "--variant", "b" * 41], "variant: it should have at most 40 characters"),
        ([SAMPLE, *BOXES, "--server", "localhost:8000"], "--server: 'localhost:8000'"),
        ([SAMPLE, *BOXES, "--server", "http://127.0.0.1:9"], "http://127.0.0.1:9: no connection"),
        ([SAMPLE, *BOXES, "--server", "http://x", "--repository", "y"], "leave it out with --server"),
    ],
)
def test_errors_are_one_line(arguments: list[str | Path], told: str) -> None:
    assert_one_line(call("run", *arguments, expect=1).err, told)


@pytest.mark.parametrize("wrong", ["--dilation-px=1_0", "--threshold=nan", "--tolerance-px=0x1", "--mode=x"])
def test_numbers_and_words_of_options_are_checked(wrong: str) -> None:
    done = call("run", SAMPLE, *BOXES, wrong, expect=2)
    assert wrong.partition("=")[0] in done.err
    assert "Value error" not in done.err


def test_boxes_may_have_other_units() -> None:
    half = call("run", SAMPLE, "--box", "0.1,0.1,0.4,0.9", "--normalized").text
    assert half.startswith("box 94.9, 51.2, 379.6, 460.8")
    assert call("run", SAMPLE, "--box", "10,20,100,200", "--box-format", "xywh").text.startswith("box 10, 20, 110, 220")
