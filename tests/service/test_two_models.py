"""An own model of the published one's variant: how each is asked for, over every way in, and what is said."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from benchmarks.harness.repository import MODELS, REPOSITORY
from benchmarks.harness.serving import SERVE, Server, serving
from benchmarks.harness.triton.models import other_masks
from hiseg.client import Client, Frame, InvalidRequest, Segmented
from hiseg.client.grpc import to_client_error
from hiseg.doctor.finding import Level
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from tests.service.cli.running import hiseg
from tests.service.doctor.test_embedded import bad, examine

BOX = (22.0, 15.0, 365.0, 512.0)
PB_BOX = pb.Box(x1=22, y1=15, x2=365, y2=512)
OWN = "a_tiny"
"""Comes before ``hiseg_b0`` in the order of names, and its masks are everything that isn't the person."""
JPEG = {"content-type": "image/jpeg"}
Ask = Callable[[Server, bytes, dict[str, Any]], tuple[str, int]]
"""Sends a photo with options; returns the model that answered, and the pixels of its mask."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(REPOSITORY, tmp_path_factory.mktemp("own") / "models"))
    (folder / OWN / "1").mkdir(parents=True)
    (folder / OWN / "1" / "model.onnx").write_bytes(other_masks())
    return folder


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    with serving((*SERVE[:-1], repository), default_variant=OWN, log_format="json") as started:
        yield started


def query(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    params = {"boxes": ",".join(map(str, BOX))} | options
    return of_answer(httpx.post(server.url + "/v1/segment", params=params, content=photo, headers=JPEG))


def form(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    data = {"boxes": ",".join(map(str, BOX))} | options
    return of_answer(httpx.post(server.url + "/v1/segment", data=data, files={"image": photo}))


def request_part(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    text = httpx.Request("POST", "http://a", json={"boxes": [BOX]} | options).content
    files = {"image": photo, "request": (None, text, "application/json")}
    return of_answer(httpx.post(server.url + "/v1/segment", files=files))


def json_body(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    body = {"image": base64.b64encode(photo).decode(), "boxes": [BOX]} | options
    return of_answer(httpx.post(server.url + "/v1/segment", json=body))


def of_answer(answer: httpx.Response) -> tuple[str, int]:
    fields = answer.json()
    if answer.status_code != 200:
        assert answer.status_code == 422
        raise InvalidRequest(fields["detail"], field=fields["field"])
    return fields["model"]["name"], fields["instances"][0]["area"]


def unary(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://"), [("grpc.enable_http_proxy", 0)]) as channel:
        message = pb.SegmentRequest(encoded_image=photo, boxes=[PB_BOX], **options)
        try:
            answer = SegmentationServiceStub(channel).Segment(message)
        except grpc.RpcError as error:
            raise to_client_error(error) from error
    return answer.model.name, answer.instances[0].area


def streamed(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    with Client(server.grpc) as client:
        (outcome,) = client.stream([Frame(photo, [BOX])], **options)
    assert isinstance(outcome, Segmented)
    return outcome.result.model.name, outcome.result.instances[0].area


def frame_of_stream(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    """The options are those of one frame, and the stream's are for another model."""
    frame = pb.Frame(encoded_image=photo, boxes=[PB_BOX])
    frame.options.CopyFrom(pb.SegmentOptions(**options))
    messages = [pb.SegmentStreamRequest(config={"options": {"model": OWN}}), pb.SegmentStreamRequest(frame=frame)]
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://"), [("grpc.enable_http_proxy", 0)]) as channel:
        (response,) = SegmentationServiceStub(channel).SegmentStream(iter(messages))
    if response.HasField("error"):
        raise InvalidRequest(response.error.message, field=response.error.field)
    return response.result.model.name, response.result.instances[0].area


def over_http(server: Server, photo: bytes, options: dict[str, Any]) -> tuple[str, int]:
    with Client(server.url) as client:
        result = client.segment(photo, [BOX], **options)
    return result.model.name, result.instances[0].area


EVERY_WAY = [query, form, request_part, json_body, unary, streamed, frame_of_stream, over_http]


@pytest.mark.parametrize("ask", EVERY_WAY)
def test_each_model_answers_to_its_name_and_one_to_the_variant(ask: Ask, server: Server, photo: bytes) -> None:
    person = ask(server, photo, {"model": "hiseg_b0"})
    rest = ask(server, photo, {"model": OWN})
    assert (person[0], rest[0]) == ("hiseg_b0", OWN)
    assert person[1] > 1000
    assert person[1] != rest[1], "the own model really ran"
    assert ask(server, photo, {"variant": "b0"}) == person
    assert ask(server, photo, {"variant": "b0", "model": OWN}) == rest
    assert ask(server, photo, {}) == rest, "the default is the own model"


@pytest.mark.parametrize("ask", EVERY_WAY)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "b0"}, "write variant=b0"),
        ({"model": "hiseg_b0/1"}, "a version can't be asked for"),
        ({"variant": OWN}, f"write model={OWN}"),
        ({"model": OWN, "variant": "b1"}, "is of variant 'b0'"),
    ],
)
def test_what_there_is_not_is_refused(
    ask: Ask, options: dict[str, str], words: str, server: Server, photo: bytes
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        ask(server, photo, options)


def test_both_are_listed_and_who_answers_for_the_variant(server: Server) -> None:
    models = httpx.get(server.url + "/v1/models").json()["models"]
    answering = {model["name"]: model["answers_for_variant"] for model in models}
    assert answering == dict.fromkeys(MODELS, False) | {"hiseg_b0": True, OWN: False}
    infos = [httpx.get(server.url + "/v1/info").json()]
    for url in (server.url, server.grpc):
        with Client(url) as client:
            infos.append(client.info())
    for info in infos:
        assert (info["models"], info["variants"]) == ([OWN, *MODELS], ["b0"])
        assert info["model_of_variant"] == {"b0": "hiseg_b0"}
        assert info["precision_of_model"] == {model["name"]: model["precision"] for model in models}
        assert (info["default_model"], info["default_variant"]) == (OWN, "b0")


def test_a_shared_variant_is_told_once_at_the_start(server: Server) -> None:
    (line,) = (line for line in server.log if "are of one variant" in line)
    assert '"level": "warning"' in line
    assert f"{OWN}, hiseg_b0 are of one variant, b0: hiseg_b0 answers for it" in line


def test_the_doctor_and_the_list_of_models_say_so_too(repository: Path) -> None:
    listed = hiseg("models", "--repository", repository).stdout
    assert f"{OWN}, hiseg_b0 are of one variant, b0: hiseg_b0 answers for it" in listed
    found = examine(repository, default_variant=OWN)
    assert ("models", Level.WARNING) in bad(found)
    assert not [finding for finding in found if finding.level is Level.WRONG]


def test_figures_are_by_variant_as_before_and_batches_by_model(server: Server, photo: bytes) -> None:
    before = httpx.get(server.url + "/metrics").text
    query(server, photo, {"model": OWN})
    with pytest.raises(InvalidRequest):
        query(server, photo, {"model": "of-a-stranger"})
    after = httpx.get(server.url + "/metrics").text
    assert "of-a-stranger" not in after
    assert count(after, OWN) == count(before, OWN) + 1
    assert count(after, "hiseg_b0") == count(before, "hiseg_b0")
    assert {line.split('variant="')[1].split('"')[0] for line in after.splitlines() if 'variant="' in line} <= {
        "b0",
        "",
    }


def count(metrics: str, model: str) -> float:
    line = f'hiseg_batch_images_count{{model="{model}"}} '
    return next((float(each.removeprefix(line)) for each in metrics.splitlines() if each.startswith(line)), 0)
