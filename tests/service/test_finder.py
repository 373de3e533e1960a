"""A finder beside the models with masks, in the real service, on the embedded engine and on a real Triton."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import HISEG
from benchmarks.harness.serving import SERVE, Server, serving
from hiseg import Session
from hiseg.client import Client, Frame, InvalidRequest, Result, Segmented
from hiseg.core.canvas import choose_canvas, to_canvas
from hiseg.engines.base import Batch, BatchMeta, Outputs
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.inspect import inspect_model
from hiseg.models.self_test import check_batches, run_self_test
from tests.service.finder_graph import FINDER, SEEN, repository_with_finder, save_finder
from tests.service.three_graphs import CANVAS, KINDS, PEOPLE, SIZE, file_of, picture, served_by

PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository_with_finder(tmp_path_factory.mktemp("finder"))


@pytest.fixture(scope="module", params=["onnx", "triton"])
def server(request: pytest.FixtureRequest, repository: Path) -> Iterator[Server]:
    with served_by(request.param, repository, (*KINDS, FINDER)) as started:
        yield started


def ask(server: Server, **query: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/segment", params=query, content=picture(), headers=PNG)


def on_canvas() -> np.ndarray:
    """The picture as a model gets it: uint8 ``[3, H, W]``."""
    with PIL.Image.open(io.BytesIO(picture())) as image:
        return to_canvas(np.asarray(image), choose_canvas(*SIZE, [CANVAS]))


@pytest.mark.parametrize("images", [1, 3, 14])
def test_a_batch_finds_the_people_of_each_image(tmp_path: Path, images: int) -> None:
    engine = OnnxEngine(save_finder(tmp_path / "model.onnx"), FINDER, "1")
    shown = np.zeros((images, 3, *CANVAS), np.uint8)
    shown[1::2] = on_canvas()
    meta = BatchMeta(Outputs.BOXES | Outputs.FOREGROUND)
    made = engine.run(Batch(shown, np.zeros((0, 5), np.float32), meta))
    assert made.boxes[:, 0].tolist() == [image for image in range(1, images, 2) for _ in PEOPLE]
    assert made.foreground.shape == (images, *SEEN)
    assert (made.foreground[1::2].max((1, 2)) > 0.9).all()
    assert (made.foreground[::2] < 0.1).all()
    for image in range(1, images, 2):
        found = made.boxes[made.boxes[:, 0] == image, 1:5] * [SIZE[1], SIZE[0], SIZE[1], SIZE[0]]
        np.testing.assert_allclose(found, PEOPLE, rtol=1e-5)
    assert engine.run(Batch(shown, np.zeros((0, 5), np.float32), BatchMeta(Outputs.BOXES))).foreground.size == 0
    engine.close()


def test_a_finder_is_recognised_checked_and_never_one_for_masks(tmp_path: Path) -> None:
    path = save_finder(tmp_path / FINDER / "1" / "model.onnx")
    report = inspect_model(path)
    assert report.fits, report.refused
    facts = {fact.what: fact.value for fact in report.facts}
    assert facts["people"].startswith("boxes")
    assert "mask size" not in facts
    assert "mask_size" not in report.missing
    engine = OnnxEngine(path, FINDER, "1")
    assert (engine.info.is_finder, engine.info.has_masks, engine.info.ref.variant) == (True, False, "find")
    assert engine.info.describe()["outputs"] == ["foreground", "boxes"]
    assert check_batches(engine)[1] == []
    engine.close()


def test_what_is_served_is_said(server: Server) -> None:
    info = httpx.get(f"{server.url}/v1/info").json()
    assert (info["finder_model"], info["foreground_model"], info["default_model"]) == (FINDER, FINDER, "hiseg_b0")
    assert info["variants"] == ["b0", "b1"]
    models = {model["name"]: model for model in httpx.get(f"{server.url}/v1/models").json()["models"]}
    assert models[FINDER]["outputs"] == ["foreground", "boxes"]
    assert not models[FINDER]["answers_for_variant"]
    with Client(server.grpc) as client:
        assert client.info()["finder_model"] == FINDER


def test_everybody_without_boxes_is_what_the_finder_sees(server: Server) -> None:
    answer = ask(server, mode="binary").json()
    assert (answer["foreground_source"], answer["model"]["name"]) == ("image", FINDER)
    shown = ask(server, mode="binary", mask_format="label_map")
    with PIL.Image.open(io.BytesIO(shown.content)) as image:
        seen = np.asarray(image) > 0
    assert seen.shape == SIZE
    assert [bool(seen[100, x]) for x in (50, 100, 200, 150)] == [True, True, True, False]
    assert ask(server, mode="binary", variant="b1").json()["model"]["name"] == "hiseg_b1"


def test_masks_are_never_asked_of_a_finder(server: Server) -> None:
    answer = ask(server, model=FINDER, boxes="20,20,90,150")
    assert (answer.status_code, answer.json()["field"]) == (422, "model")
    assert "masks give hiseg_b0, hiseg_b1" in answer.json()["detail"]
    assert ask(server, variant="find", boxes="20,20,90,150").status_code == 422


def test_a_version_must_find_people_as_the_one_before(tmp_path: Path) -> None:
    models = repository_with_finder(tmp_path / "models")

    def publish(version: int, save: Callable[[Path], Path]) -> None:
        save(tmp_path / str(version) / "model.onnx")
        (tmp_path / str(version)).rename(models / FINDER / str(version))

    with serving((*SERVE[:-1], models), repository_poll_seconds=0.1) as server:
        publish(2, file_of(Outputs.FOREGROUND).save)
        while not any(f"Version 2 of {FINDER} is not used" in line for line in server.log):
            time.sleep(0.05)
        publish(3, save_finder)
        while ask(server, mode="binary").json()["model"]["version"] != "3":
            time.sleep(0.05)


def test_a_self_test_runs_on_boxes_too(tmp_path: Path) -> None:
    engine = OnnxEngine(save_finder(tmp_path / "model.onnx"), FINDER, "1")
    asyncio.run(run_self_test(engine, None))
    engine.close()


def found_of(result: Result) -> list[bool]:
    """Which instances of an answer were found."""
    return [each.found is not None for each in result.instances]


@pytest.fixture(scope="module")
def callers(server: Server, repository: Path) -> Iterator[dict[str, Any]]:
    """Everything that can be asked in Python: over HTTP, over gRPC, and in this process."""
    with Client(server.url) as http, Client(server.grpc) as rpc, Session(repository=repository) as session:
        yield {"http": http.segment, "grpc": rpc.segment, "session": session.segment}


def test_left_out_boxes_have_everybody_found_whichever_way_a_photo_comes(callers: dict[str, Any]) -> None:
    for ask_for in callers.values():
        result = ask_for(picture())
        boxes = sorted(tuple(map(round, each.box)) for each in result.instances)
        assert boxes == sorted(PEOPLE)
        assert found_of(result) == [True] * 3
        assert all(each.area for each in result.instances)
        assert all(each.found.score > 0.9 for each in result.instances)
        assert (result.model.name, result.finder.name, result.finder.version) == ("hiseg_b0", FINDER, "1")
        assert "find" in result.timings_ms


def test_options_of_finding(callers: dict[str, Any]) -> None:
    sent = [list(PEOPLE[1]), [140, 0, 165, 30]]
    for ask_for in callers.values():
        assert found_of(ask_for(picture(), sent)) == [False, False]
        assert found_of(ask_for(picture(), sent, find=True)) == [False, False, True, True]
        both = ask_for(picture(), sent, find=True, max_people=1)
        assert found_of(both) == [False, False, True]
        assert any("the surest 1 of them" in note for note in both.notes)
        together = ask_for(picture(), sent, find=True, mode="binary")
        assert (together.foreground_source, together.finder.name) == ("instances", FINDER)
        for nobody in (ask_for(picture(), []), ask_for(picture(), find=False)):
            assert (nobody.instances, nobody.finder) == ((), None)
            assert any("nobody was looked for" in note for note in nobody.notes)
        with pytest.raises(InvalidRequest, match="find_threshold"):
            ask_for(picture(), find_threshold=1.5)
        assert ask_for(picture(), mode="binary").finder is None


def test_every_form_of_a_request_over_http_finds(server: Server) -> None:
    url, photo = f"{server.url}/v1/segment", picture()
    forms = [
        httpx.post(url, content=photo, headers=PNG),
        httpx.post(url, params={"find": "true", "boxes": ""}, content=photo, headers=PNG),
        httpx.post(url, files={"image": ("a.png", photo)}),
        httpx.post(url, files={"image": ("a.png", photo), "find": (None, "true"), "max_people": (None, "9")}),
        httpx.post(url, files={"image": ("a.png", photo), "request": (None, '{"find_threshold": 0.3}')}),
        httpx.post(url, json={"image": base64.b64encode(photo).decode()}),
    ]
    for answer in forms:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert [set(each["found"]) for each in body["instances"]] == [{"score"}] * 3
        assert body["finder"]["name"] == FINDER
        assert "find;dur=" in answer.headers["server-timing"]
    some = ask(server, boxes="30,40,76,140").json()
    assert [("found" in each) for each in some["instances"]] == [False]
    assert "finder" not in some
    shown = ask(server, mask_format="label_map")
    with PIL.Image.open(io.BytesIO(shown.content)) as image:
        assert len(np.unique(np.asarray(image))) == 4


def test_streams_find_people_and_follow_them(server: Server) -> None:
    frames = [Frame(picture()), Frame(picture()), Frame(picture(), [PEOPLE[0]]), Frame(picture(), forget_boxes=True)]
    with Client(server.grpc) as client:
        plain = [out.result for out in client.stream(frames) if isinstance(out, Segmented)]
        reusing = [out.result for out in client.stream(frames, reuse_boxes=True) if isinstance(out, Segmented)]
        never = [out.result for out in client.stream(frames, find=False) if isinstance(out, Segmented)]
    assert [found_of(result) for result in plain] == [[True] * 3, [True] * 3, [False], []]
    assert [found_of(result) for result in reusing] == [[True] * 3, [False] * 3, [False], []]
    assert [found_of(result) for result in never] == [[], [], [False], []]


def test_the_open_inference_protocol_finds_too(server: Server) -> None:
    photo = base64.b64encode(picture()).decode()
    body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [photo]}]}
    answer = httpx.post(f"{server.url}/v2/models/hiseg_b0/infer", json=body).json()
    assert answer["parameters"]["finder"] == FINDER
    assert answer["outputs"][1]["shape"] == [3]


def test_stages_and_batches_are_counted(server: Server) -> None:
    assert ask(server).status_code == 200
    time.sleep(0.1)  # batches are reported a moment after their answers
    metrics = httpx.get(f"{server.url}/metrics").text
    assert 'hiseg_stage_seconds_count{stage="find"}' in metrics
    assert f'hiseg_batch_seconds_count{{model="{FINDER}"}}' in metrics


def run(*arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([HISEG, "run", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == expect, done.stderr
    return done


def test_run_finds_people_here_and_by_a_service(server: Server, repository: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in "ab":
        (photos / f"{name}.png").write_bytes(picture())
    for where in (("--repository", repository), ("--server", server.url)):
        told = run(photos / "a.png", *where, "--json", tmp_path / "a.json").stdout
        assert told.count("found with") == 3
        assert "find " in told
        answer = json.loads((tmp_path / "a.json").read_text())
        assert [set(each["found"]) for each in answer["instances"]] == [{"score"}] * 3
        assert answer["finder"]["name"] == FINDER
        both = run(photos / "a.png", *where, "--box", "30,40,76,140", "--find", "--max-people", 1)
        assert both.stdout.count("found with") == 1
    assert "found with" not in run(photos / "a.png", "--repository", repository, "--box", "30,40,76,140").stdout
    out = tmp_path / "out"
    assert "2 of 2 photos done" in run(photos, "--repository", repository, "-o", out).stdout
    assert len([*out.glob("a*.png")]) == 1
    assert FINDER in (out / ".hiseg-run.jsonl").read_text()
    without = tmp_path / "without"
    without.mkdir()
    (without / "hiseg_b0").symlink_to(repository / "hiseg_b0")
    assert "there are no boxes" in run(photos / "a.png", "--repository", without, expect=1).stderr
    assert "nobody can be found" in run(photos, "--repository", without, "--find", "-o", out, expect=1).stderr
