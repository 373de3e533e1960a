"""Graphs of masks, of the foreground and of both, in the real service, on the embedded engine and on a real Triton."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.serving import SERVE, Server, serving
from hiseg import Session
from hiseg.api.encoding import MaskFormat
from hiseg.client import Client, Frame, InvalidRequest, Result, Segmented
from hiseg.engines.base import Outputs
from hiseg.models.repository import stored_models
from hiseg.models.stored_variant import stored_outputs
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from tests.service.three_graphs import BOXES, KINDS, SIZE, file_of, picture, repository_of_all, served_by

QUERY = {"boxes": ";".join(",".join(map(str, box)) for box in BOXES)}
PNG = {"content-type": "image/png"}
OUTSIDE = [[900.0, 900.0, 950.0, 990.0]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository_of_all(tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module", params=["onnx", "triton"])
def server(request: pytest.FixtureRequest, repository: Path) -> Iterator[Server]:
    with served_by(request.param, repository) as started:
        yield started


def ask(server: Server, **query: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/segment", params=query, content=picture(), headers=PNG)


def drawn(answer: httpx.Response) -> np.ndarray:
    """Bool ``[H, W]``: where a label map has anybody."""
    assert answer.status_code == 200, answer.text
    with PIL.Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image) > 0


@pytest.mark.parametrize("variant", ["b0", "b1"])
def test_with_boxes_everybody_is_the_union_of_the_masks(server: Server, variant: str) -> None:
    options = {"threshold": 0.6, "dilation_px": 3, "smoothing": "edge", "variant": variant} | QUERY
    apart = drawn(ask(server, mask_format="label_map", **options))
    together = drawn(ask(server, mask_format="label_map", mode="binary", **options))
    assert np.array_equal(apart, together)
    assert together[100, 50] and not together[100, 200]  # noqa: PT018
    body = ask(server, mode="binary", **options).json()
    assert (body["foreground_source"], body["model"]["variant"]) == ("instances", variant)
    assert (body["instances"], body["foreground"]["area"]) == ([], int(apart.sum()))
    assert body["foreground"]["box"] == [0, 0, SIZE[1], SIZE[0]]
    assert "foreground_source" not in ask(server, **options).json()


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ({}, "hiseg_foreground"),
        ({"boxes": ""}, "hiseg_foreground"),
        ({"variant": "b0"}, "hiseg_foreground"),
        ({"variant": "b1"}, "hiseg_b1"),
        ({"model": "hiseg_foreground"}, "hiseg_foreground"),
        ({"model": "hiseg_foreground"} | QUERY, "hiseg_foreground"),
    ],
)
def test_without_boxes_everybody_in_the_image_is_found(server: Server, options: dict[str, str], answers: str) -> None:
    body = ask(server, mode="binary", **options).json()
    assert (body["foreground_source"], body["model"]["name"], body["instances"]) == ("image", answers, [])
    assert bool(body["image"]["notes"]) == ("boxes" in options and bool(options["boxes"]))
    seen = drawn(ask(server, mode="binary", mask_format="label_map", **options))
    assert [bool(seen[100, x]) for x in (50, 100, 200, 150)] == [True, True, True, False]


@pytest.mark.parametrize("mask_format", MaskFormat)
@pytest.mark.parametrize("boxes", [QUERY, {}])
def test_everybody_is_written_in_every_format(server: Server, mask_format: MaskFormat, boxes: dict[str, str]) -> None:
    answer = ask(server, mode="binary", mask_format=mask_format.value, **boxes)
    assert answer.status_code == 200, answer.text
    as_png = httpx.post(
        f"{server.url}/v1/segment",
        params={"mode": "binary", "mask_format": mask_format.value} | boxes,
        content=picture(),
        headers=PNG | {"accept": "image/png"},
    )
    with PIL.Image.open(io.BytesIO(as_png.content)) as image:
        assert image.size == SIZE[::-1]
    if not mask_format.is_image:
        assert answer.json()["foreground"]["mask"]["format"] == mask_format.value


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"model": "hiseg_foreground"} | QUERY, "model", "masks give hiseg_b0, hiseg_b1"),
        ({"variant": "foreground"} | QUERY, "variant", "write model=hiseg_foreground"),
        ({"variant": "foreground", "mode": "binary"}, "variant", "there is b0, b1"),
        ({"variant": "b0", "model": "hiseg_foreground", "mode": "binary"}, "variant", "of variant 'foreground'"),
        ({"mode": "binary", "boxes": "900,900,950,990"}, "boxes[0]", "lies outside the image"),
    ],
)
def test_what_a_model_does_not_give_is_refused_on_both_transports(
    server: Server, options: dict[str, str], field: str, said: str
) -> None:
    answer = ask(server, **options)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert said in answer.json()["detail"]
    rows = [[float(number) for number in row.split(",")] for row in options.get("boxes", "").split(";") if row]
    rest: Any = {name: value for name, value in options.items() if name != "boxes"}
    for url in (server.url, server.grpc):
        with Client(url) as client, pytest.raises(InvalidRequest) as refused:
            client.segment(picture(), rows, **rest)
        assert said in str(refused.value)


def same(first: Result, second: Result) -> None:
    assert first.foreground_source == second.foreground_source
    assert first.foreground is not None
    assert second.foreground is not None
    assert np.array_equal(first.foreground.mask, second.foreground.mask)
    assert first.foreground.score == pytest.approx(second.foreground.score)
    assert first.model.name == second.model.name


@pytest.mark.parametrize("boxes", [BOXES, BOXES * 50, [], None])
def test_every_way_in_gives_the_same(server: Server, repository: Path, boxes: list[list[float]] | None) -> None:
    with Client(server.url) as http, Client(server.grpc) as rpc, Session(repository=repository) as session:
        asked = [each.segment(picture(), boxes, mode="binary") for each in (http, rpc, session)]
        (frame,) = rpc.stream([Frame(picture(), boxes or ())], mode="binary")
    assert isinstance(frame, Segmented)
    for other in (*asked[1:], frame.result):
        same(asked[0], other)
    assert asked[0].foreground_source == ("instances" if boxes else "image")


def test_frames_follow_people_though_everybody_is_one_mask(server: Server) -> None:
    frames = [Frame(picture()), Frame(picture(), BOXES), Frame(picture()), Frame(picture(), OUTSIDE)]
    with Client(server.grpc) as client:
        outcomes = list(client.stream(frames, mode="binary", reuse_boxes=True))
    results = [outcome.result for outcome in outcomes if isinstance(outcome, Segmented)]
    assert [result.foreground_source for result in results] == ["image", "instances", "instances", "instances"]
    areas = [result.foreground.area for result in results if result.foreground]
    assert areas[0] > areas[1] > 0
    assert areas[2] == pytest.approx(areas[1], rel=0.1)
    assert areas[3] == 0


def test_what_is_served_is_said(server: Server) -> None:
    models = {model["name"]: model for model in httpx.get(f"{server.url}/v1/models").json()["models"]}
    assert {name: model["outputs"] for name, model in models.items()} == {
        "hiseg_b0": ["masks"],
        "hiseg_b1": ["masks", "foreground"],
        "hiseg_foreground": ["foreground"],
    }
    assert not models["hiseg_foreground"]["answers_for_variant"]
    info = httpx.get(f"{server.url}/v1/info").json()
    assert (info["variants"], info["default_model"], info["foreground_model"]) == (
        ["b0", "b1"],
        "hiseg_b0",
        "hiseg_foreground",
    )
    assert info["models"] == list(info["precision_of_model"]) == list(KINDS)
    assert httpx.get(f"{server.url}/versions").json() == {"versions": ["hiseg_b0 1", "hiseg_b1 1"]}
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://"), [("grpc.enable_http_proxy", 0)]) as channel:
        told = SegmentationServiceStub(channel).GetInfo(pb.GetInfoRequest())
    assert {model.name: list(model.outputs) for model in told.models} == {
        name: model["outputs"] for name, model in models.items()
    }
    assert told.foreground_model == "hiseg_foreground"
    with Client(server.grpc) as client:
        assert client.info()["variants"] == ["b0", "b1"]


def test_the_open_inference_protocol_has_the_inputs_that_there_are(server: Server) -> None:
    described = httpx.get(f"{server.url}/v2/models/hiseg_foreground").json()
    assert [tensor["name"] for tensor in described["inputs"]] == ["image"]
    config = httpx.get(f"{server.url}/v2/models/hiseg_foreground/config").json()
    assert [tensor["name"] for tensor in config["input"]] == ["image"]
    photo = picture()
    blob = len(photo).to_bytes(4, "little") + photo
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(blob)}}
    boxes = {"name": "boxes", "shape": [len(BOXES), 4], "datatype": "FP32", "data": BOXES}

    def infer(model: str, *inputs: dict[str, Any], **parameters: Any) -> httpx.Response:
        head = httpx.Request("POST", "http://a", json={"inputs": inputs, "parameters": parameters}).content
        headers = {"Inference-Header-Content-Length": str(len(head))}
        return httpx.post(f"{server.url}/v2/models/{model}/infer", content=head + blob, headers=headers)

    everybody = infer("hiseg_foreground", image).json()
    assert everybody["parameters"]["foreground_source"] == "image"
    assert [tensor["shape"][0] for tensor in everybody["outputs"][:4]] == [1, 1, 1, 1]
    assert infer("hiseg_b0", image, boxes, mode="binary").json()["parameters"]["foreground_source"] == "instances"
    assert len(infer("hiseg_b0", image, boxes).json()["outputs"][1]["data"]) == len(BOXES)
    assert infer("hiseg_foreground", image, boxes).status_code == 422
    assert infer("hiseg_foreground", image, mode="instance").status_code == 422


def test_requests_and_batches_are_counted_for_the_model_that_ran_them(server: Server) -> None:
    def counts() -> dict[str, float]:
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    before = counts()
    assert ask(server, mode="binary").status_code == 200
    assert ask(server, mode="binary", **QUERY).status_code == 200
    time.sleep(0.1)  # batches are reported a moment after their answers
    grown = {name for name, value in counts().items() if value > before.get(name, 0.0)}
    of_models = {f'hiseg_batch_seconds_count{{model="{name}"}}' for name in ("hiseg_foreground", "hiseg_b0")}
    assert {name for name in grown if name.startswith("hiseg_batch_seconds_count")} == of_models
    requests = [name for name in grown if name.startswith("hiseg_request_seconds_count")]
    assert {name.partition('variant="')[2].partition('"')[0] for name in requests} == {"foreground", "b0"}
    assert "hiseg_instances_total" in grown


def test_files_say_what_they_compute_without_being_opened(repository: Path) -> None:
    assert {model.name: stored_outputs(model) for model in stored_models(repository)} == KINDS


def test_a_version_may_lose_the_foreground_but_not_the_masks(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(repository / "hiseg_b1", folder / "hiseg_b1")

    def publish(version: int, outputs: Outputs) -> None:
        file_of(outputs).save(tmp_path / str(version) / "model.onnx")
        (tmp_path / str(version)).rename(folder / "hiseg_b1" / str(version))

    with serving((*SERVE[:-1], folder), default_variant="b1", repository_poll_seconds=0.1) as server:

        def answers(version: str) -> bool:
            answer = ask(server, mode="binary", **QUERY)
            assert answer.status_code == 200, answer.text
            return bool(answer.json()["model"]["version"] == version)

        assert ask(server, mode="binary").json()["foreground_source"] == "image"
        publish(2, Outputs.MASKS)
        while not answers("2"):
            time.sleep(0.05)
        refused = ask(server, mode="binary")
        assert (refused.status_code, refused.json()["field"]) == (422, "boxes")
        publish(3, Outputs.FOREGROUND)
        while not any("Version 3 of hiseg_b1 is not used: it gives foreground alone" in line for line in server.log):
            time.sleep(0.05)
        assert answers("2")
        shutil.copytree(repository / "hiseg_foreground", folder / "hiseg_foreground")
        while ask(server, mode="binary").status_code != 200:
            time.sleep(0.05)
