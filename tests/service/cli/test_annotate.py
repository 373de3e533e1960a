"""``hiseg annotate`` as an annotator meets it: the service's masks in a COCO file, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pycocotools.coco import COCO
from typer.testing import CliRunner, Result

from benchmarks.harness.paths import HISEG, ROOT, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import Server
from hiseg.cli.main import app
from hiseg.client import Client
from tests.service.cli.running import assert_one_line

PEOPLE = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in SAMPLE_BOXES]
PHOTOS = 24
"""Enough to be interrupted."""
PLAIN = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"cv2", "fastapi", "onnxruntime", "prometheus_client", "pydantic_settings",
                                      "simplejpeg", "uvicorn"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
from hiseg.cli.main import app
app()
"""
"""``hiseg`` without what a plain install hasn't."""


def content(count: int) -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 949, "height": 512} for n in range(count)]
    people = [(n, box) for n in range(count) for box in PEOPLE]
    annotations = [
        {"id": place, "image_id": n, "category_id": 1, "bbox": box, "area": 1, "iscrowd": 0}
        for place, (n, box) in enumerate(people)
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def hiseg(*arguments: str | Path, expect: int = 0, stdin: str | None = None) -> Result:
    """Run the command in this process: starting one takes longer than most of these tests."""
    done = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)
    assert done.exit_code == expect, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, and boxes.json."""
    found = tmp_path_factory.mktemp("annotate")
    for n in range(PHOTOS):
        shutil.copy(SAMPLE, found / f"{n}.jpg")
    (found / "boxes.json").write_text(json.dumps(content(PHOTOS)))
    return found


def few(tmp_path: Path, folder: Path, change: Callable[[dict[str, Any]], object] = lambda found: None) -> list[str]:
    """Arguments for three photos, with a file that was changed."""
    found = content(3)
    change(found)
    (tmp_path / "few.json").write_text(json.dumps(found))
    return ["annotate", str(tmp_path / "few.json"), "--images", str(folder)]


def test_masks_of_val_are_the_services_to_the_pixel_and_pycocotools_reads_them(
    data: Path, server: Server, tmp_path: Path
) -> None:
    found = json.loads((data / "annotations" / "instances_val_person_only_no_crowd.json").read_text())
    found["images"] = found["images"][::10]
    kept = {image["id"] for image in found["images"]}
    found["annotations"] = [row for row in found["annotations"] if row["image_id"] in kept]
    boxes, output = tmp_path / "boxes.json", tmp_path / "masks.json"
    boxes.write_text(json.dumps(found))
    done = hiseg("annotate", boxes, "--images", data / "images" / "val", "--repository", REPOSITORY, "-o", output)
    assert done.stderr.startswith(f"hiseg: {len(found['annotations'])} masks of {len(kept)} photos in {output}")
    assert not done.stdout
    coco = COCO(str(output))
    with Client(server.url) as client:
        for image in found["images"]:
            rows = coco.imgToAnns[image["id"]]
            sent = [[x, y, x + w, y + h] for x, y, w, h in (row["bbox"] for row in rows)]
            result = client.segment(data / "images" / "val" / image["file_name"], sent)
            for row, instance in zip(rows, result.instances, strict=True):
                np.testing.assert_array_equal(coco.annToMask(row), instance.mask)
                assert row["area"] == instance.area
                assert row["score"] == pytest.approx(instance.score, abs=1e-4)
    written = json.loads(output.read_text())
    for row in written["annotations"] + found["annotations"]:
        for name in ("segmentation", "area", "score"):
            row.pop(name, None)
    assert written == found


def test_a_server_makes_the_same_file_also_for_a_plain_install(server: Server, tmp_path: Path, folder: Path) -> None:
    arguments = [*few(tmp_path, folder), "--dilation-px", "3", "--threshold", "0.6"]
    here = hiseg(*arguments, "--repository", REPOSITORY, "--mask-format", "coco_rle", "-o", "-").stdout
    assert hiseg(*arguments, "-o", "-", "--server", server.grpc).stdout == here
    plain = [sys.executable, "-c", PLAIN, *arguments, "--server", server.url, "-o", "-"]
    done = subprocess.run(plain, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == here
    without = [sys.executable, "-c", PLAIN, *arguments, "-o", str(tmp_path / "out.json")]
    done = subprocess.run(without, capture_output=True, text=True, timeout=60, check=False)
    assert_one_line(done.stderr, "making masks without --server needs packages that aren't installed: ")
    assert [path.name for path in tmp_path.iterdir()] == ["few.json"]


@pytest.mark.parametrize("form", ["coco_rle_uncompressed", "polygon"])
def test_other_forms_of_masks(tmp_path: Path, folder: Path, form: str) -> None:
    output = tmp_path / "masks.json"
    hiseg(*few(tmp_path, folder), "-o", output, "--mask-format", form, "--tolerance-px", "0")
    coco = COCO(str(output))
    (first, *_) = coco.anns.values()
    assert isinstance(first["segmentation"] if form == "polygon" else first["segmentation"]["counts"], list)
    assert coco.annToMask(first).sum() == first["area"] > 10_000


def test_the_same_command_goes_on_where_it_was_ended(tmp_path: Path, folder: Path) -> None:
    output, partial = tmp_path / "masks.json", tmp_path / "masks.json.partial"
    command = [HISEG, "annotate", folder / "boxes.json", "--images", folder, "-o", output, "--smoothing", "edge"]

    def run_until(lines: int, how: signal.Signals) -> tuple[str, int]:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stderr is not None
        with process.stderr:
            while not partial.exists() or partial.read_bytes().count(b"\n") < lines:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
            process.send_signal(how)
            return process.stderr.read(), process.wait(20)

    run_until(3, signal.SIGKILL)
    assert not output.exists()
    with partial.open("ab") as file:
        file.write(b"[5,[1")
    told, code = run_until(8, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    going, ended = told.splitlines()
    assert f"going on from {partial}, which has " in going
    assert f" of {PHOTOS} photos: the same command goes on from there" in ended
    assert "going on from " in hiseg(*map(str, command[1:])).stderr
    rows = json.loads(output.read_text())["annotations"]
    assert {json.dumps(row["segmentation"]) for row in rows[::2]} == {json.dumps(rows[0]["segmentation"])}
    assert {json.dumps(row["segmentation"]) for row in rows[1::2]} == {json.dumps(rows[1]["segmentation"])}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks.json"]


def test_what_fails_is_listed_at_the_end_and_the_rest_is_written(tmp_path: Path, folder: Path) -> None:
    def spoil(found: dict[str, Any]) -> None:
        found["images"][0]["file_name"] = "../../etc/passwd"
        found["images"][1]["width"] = 950
        found["annotations"][4]["bbox"] = [1, 2, 3]
        found["annotations"].append({"image_id": 2, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 1, "area": 1})

    output = tmp_path / "masks.json"
    done = hiseg(*few(tmp_path, folder, spoil), "-o", output, expect=1)
    lines = done.stderr.splitlines()
    assert "2.jpg, annotations[4] (id 4): has no box of four numbers" in lines[0]
    assert "../../etc/passwd: is not in " in lines[1]
    assert "1.jpg: is 949 x 512 pixels, and by the boxes' file 950 x 512" in lines[2]
    assert "1 mask of 1 photo in " in lines[3]
    assert "; 1 crowd (iscrowd) left as they were; 3 errors, with annotations left as they were" in lines[3]
    assert "stays, so that the same command does only photos that failed" in lines[4]
    rows = json.loads(output.read_text())["annotations"]
    assert [("segmentation" in row, row["area"] == 1) for row in rows] == [
        *[(False, True)] * 5,
        (True, False),
        (False, True),
    ]


def test_two_runs_at_once_on_one_output(tmp_path: Path, folder: Path) -> None:
    import fcntl

    with (tmp_path / "masks.json.partial").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = hiseg(*few(tmp_path, folder), "-o", tmp_path / "masks.json", expect=1)
    assert_one_line(done.stderr, "another hiseg annotate is writing ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "no/folder/masks.json"], "-o: 'no/folder/masks.json' is in a folder that doesn't exist"),
        (["-o", "."], "-o: '.' is a folder; name a file in it"),
        (["-o", "FEW"], "is the file that is read; write to another one"),
        (["-o", "photo.JPG"], "-o: 'photo.JPG' is a photo by its name; masks are written as JSON"),
        (["-o", "a" * 252], "can't be written: File name too long"),
        (["-o", "/dev/full"], "-o: /dev/full can't be written: No space left on device"),
        (["-o", "OUT", "--category", "dog"], "no category is named 'dog', but there is 'person' (6)"),
        (["-o", "OUT", "--image-info", "FEW"], "is no list of results, so it needs no other file of images"),
        (["-o", "OUT", "--server", "ftp://here"], "--server: 'ftp://here' can't be used"),
        (["-o", "OUT", "--server", "http://x", "--repository", "y"], "leave out --repository or --server"),
        (["-o", "OUT", "--variant", "b9"], "variant 'b9' is not served"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, folder: Path, arguments: list[str], told: str) -> None:
    first, names = few(tmp_path, folder), {"FEW": tmp_path / "few.json", "OUT": tmp_path / "masks.json"}
    done = hiseg(*first, *(names.get(each, each) for each in arguments), expect=1)
    assert_one_line(done.stderr, told)
    assert [path.name for path in tmp_path.iterdir()] == ["few.json"]


def test_results_of_a_detector_from_standard_input(tmp_path: Path, folder: Path) -> None:
    found = content(1)
    results = [{"image_id": 0, "category_id": 1, "bbox": box, "score": 0.25} for box in PEOPLE]
    (tmp_path / "info.json").write_text(json.dumps({name: found[name] for name in ("images", "categories")}))
    info = tmp_path / "info.json"
    arguments = ("annotate", "-", "--images", folder, "-o", tmp_path / "out.json", "--image-info", info)
    hiseg(*arguments, stdin=json.dumps(results))
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [{name: row[name] for name in results[0]} for row in rows] == results
    (tmp_path / "found.json").write_text(json.dumps(found))
    loaded = COCO(str(tmp_path / "found.json")).loadRes(str(tmp_path / "out.json"))
    assert [loaded.annToMask(row).sum() for row in loaded.anns.values()] == [row["area"] for row in rows]
    assert all(0.5 < row["mask_score"] <= 1 for row in rows)


def test_pictures_that_lie_on_their_side_are_outlined_as_they_are_shown(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    with PIL.Image.open(SAMPLE) as picture:
        picture.transpose(PIL.Image.Transpose.ROTATE_90).save(tmp_path / "0.jpg", exif=exif, quality=97)
    (tmp_path / "few.json").write_text(json.dumps(content(1)))
    hiseg("annotate", tmp_path / "few.json", "--images", tmp_path, "-o", tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert [row["segmentation"]["size"] for row in rows] == [[512, 949]] * 2
    assert os.path.getsize(tmp_path / "out.json") > 500
