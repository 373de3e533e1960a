"""`/v2` of the running service, used by Triton's own client."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import MODELS
from benchmarks.harness.serving import Server

URL = "/v2/models/hiseg_b0"


@pytest.fixture(scope="module")
def asked(
    server: Server, tools: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the service said of itself, and the tensors that it gave."""
    folder = tmp_path_factory.mktemp("triton")
    (folder / "boxes.json").write_text(json.dumps(SAMPLE_BOXES))
    tools("ask_triton.py", server.url.removeprefix("http://"), SAMPLE, folder / "boxes.json", folder / "out")
    with np.load(folder / "out.npz") as arrays:
        return json.loads((folder / "out.json").read_text()), dict(arrays)


def segment(client: httpx.Client, photo: bytes, **options: Any) -> list[dict[str, Any]]:
    """The same by `/v1/segment`."""
    boxes = ";".join(",".join(map(str, box)) for box in SAMPLE_BOXES)
    headers = {"content-type": "image/jpeg"}
    asked = {name: value for name, value in {"boxes": boxes, **options}.items() if value is not None}
    answer = client.post("/v1/segment", params=asked, content=photo, headers=headers).json()
    return list(answer["instances"] or [answer["foreground"]])


@pytest.mark.parametrize(
    ("way", "options"),
    [
        ("default", {}),
        ("binary", {}),
        ("json", {}),
        ("strict", {"threshold": 0.8}),
        ("in_time", {}),
        ("binary_mode", {"mode": "binary"}),
        ("without_boxes", {"mode": "binary", "boxes": None}),
    ],
)
def test_masks_are_those_of_v1(
    client: httpx.Client, photo: bytes, asked: Any, way: str, options: dict[str, Any]
) -> None:
    arrays = {name.removeprefix(f"{way}/"): array for name, array in asked[1].items() if name.startswith(f"{way}/")}
    expected = segment(client, photo, **options)
    assert arrays["image_size"].tolist() == [512, 949]
    assert arrays["areas"].tolist() == [instance["area"] for instance in expected]
    np.testing.assert_allclose(arrays["scores"], [instance["score"] for instance in expected], rtol=1e-6)
    np.testing.assert_array_equal(arrays["boxes"], [instance["box"] for instance in expected])
    for text, instance in zip(arrays["masks"], expected, strict=True):
        rle = json.loads(str(text))
        assert rle == {"size": instance["mask"]["size"], "counts": instance["mask"]["counts"]}
        assert coco_mask.area(rle) == instance["area"]


def test_only_what_is_asked_for_comes_back(asked: Any) -> None:
    assert [name for name in asked[1] if name.startswith("areas/")] == ["areas/areas"]


def test_no_boxes_no_masks(asked: Any) -> None:
    _, arrays = asked
    assert {name: arrays[f"nobody/{name}"].shape for name in ("masks", "scores", "areas", "boxes")} == {
        "masks": (0,),
        "scores": (0,),
        "areas": (0,),
        "boxes": (0, 4),
    }


def test_metadata_of_server_and_model(asked: Any) -> None:
    said = asked[0]
    assert (said["live"], said["ready"], said["model_ready"], said["versioned_ready"]) == (True,) * 4
    assert said["nobody_ready"] is False
    assert said["server"]["name"] == "hiseg"
    assert said["server"]["extensions"] == ["binary_tensor_data"]
    assert said["model"]["versions"] == ["1"]
    assert [tensor["name"] for tensor in said["model"]["inputs"]] == ["image", "boxes"]
    answer = said["response"]
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("hiseg_b0", "1", "7")
    assert {"decode_ms", "queue_ms", "infer_ms", "masks_ms", "encode_ms"} == set(answer["parameters"])
    # Shapes and types are those that the metadata promise.
    for tensor, promised in zip(answer["outputs"], said["model"]["outputs"], strict=True):
        assert (tensor["name"], tensor["datatype"]) == (promised["name"], promised["datatype"])
        assert all(wanted in (-1, side) for side, wanted in zip(tensor["shape"], promised["shape"], strict=True))


@pytest.mark.parametrize(
    ("case", "status", "text"),
    [
        ("model", "404", r"model 'nobody' is not served; there is hiseg_b0 \(1\)"),
        ("version", "404", "version '9'"),
        ("box", "422", r"boxes\[0\]"),
        ("image", "415", "image"),
        ("option", "422", "threshold"),
        ("timeout", "504", "left|deadline"),
        ("compressed", "415", "content-encoding"),
        ("boxes", "413", "120 boxes were sent; at most 100"),
    ],
)
def test_errors_reach_triton_s_client(asked: Any, case: str, status: str, text: str) -> None:
    found = asked[0]["errors"][case]
    assert found[0] == status
    assert re.search(text, found[1])


def tensor(name: str = "image", shape: object = (1,), datatype: str = "BYTES", **more: object) -> dict[str, object]:
    return {"name": name, "shape": shape, "datatype": datatype, **more}


BOXES = tensor("boxes", [1, 4], "FP32", data=[1, 2, 3, 4])
IMAGE = tensor(data=["AAAA"])


def asked_for(*outputs: dict[str, object]) -> dict[str, object]:
    return {"inputs": [IMAGE, BOXES], "outputs": list(outputs)}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "request"),
        ({"inputs": 5}, "inputs"),
        ({"inputs": []}, "no input 'image'"),
        ({"inputs": [BOXES]}, "no input 'image'"),
        ({"inputs": [IMAGE, IMAGE]}, "twice"),
        ({"inputs": [IMAGE, tensor("mask")]}, "no input 'mask'"),
        ({"inputs": [tensor()]}, "neither data nor binary_data_size"),
        ({"inputs": [tensor(datatype="UINT8", data=[1])]}, "must be BYTES"),
        ({"inputs": [tensor(shape=[2], data=["AAAA", "AAAA"])]}, "one image a request"),
        ({"inputs": [tensor(data=["not base64!"])]}, "not base64"),
        ({"inputs": [tensor(data=[7])]}, "base64"),
        ({"inputs": [IMAGE, tensor("boxes", [4], "FP32", data=[1, 2, 3, 4])]}, "[N, 4]"),
        ({"inputs": [IMAGE, tensor("boxes", [1, 4], "INT64", data=[1, 2, 3, 4])]}, "must be FP32"),
        ({"inputs": [IMAGE, tensor("boxes", [2, 4], "FP32", data=[1, 2, 3, 4])]}, "not the 8 numbers"),
        ({"inputs": [IMAGE, tensor("boxes", [1, 4], "FP32", data=[1, 2, "3", 4])]}, "not the 4 numbers"),
        ({"inputs": [IMAGE, tensor("boxes", [1 << 30, 4], "FP32", data=[])]}, "not the 4294967296 numbers"),
        ({"inputs": [IMAGE, tensor("boxes", [1 << 60, 4], "FP32", data=[])]}, "shape[0]"),
        ({"inputs": [IMAGE, tensor("boxes", [-1, 4], "FP32", data=[])]}, "shape[0]"),
        ({"inputs": [IMAGE, tensor("boxes", [1, 4], "FP32", data=[10**400, 1, 2, 3])]}, "too large"),
        ({"inputs": [IMAGE, tensor("x" * 201)]}, "name"),
        ({"inputs": [tensor(parameters={"binary_data_size": 9})]}, "0 bytes are left"),
        ({"inputs": [tensor(parameters={"binary_data_size": -1})]}, "bytes are left"),
        ({"inputs": [IMAGE], "outputs": [{"name": "depth"}]}, "no output 'depth'"),
        ({"inputs": [IMAGE], "parameters": {"colour": 1}}, "colour"),
        ({"inputs": [IMAGE], "parameters": {"variant": "b7"}}, "the URL names the model"),
        ({"inputs": [IMAGE], "parameters": {"model": "hiseg_b0"}}, "model can't be chosen here: the URL names it"),
        ({"inputs": [IMAGE], "parameters": {"mask_format": "png"}}, "masks are COCO RLE"),
        ({"inputs": [IMAGE], "parameters": {"timeout": "soon"}}, "timeout"),
        ({"inputs": [IMAGE], "parameters": {"timeout": 5000, "deadline_ms": 5}}, "timeout and deadline_ms"),
        ({"inputs": [IMAGE], "parameters": {"priority": True}}, "priority"),
        ({"inputs": [IMAGE], "parameters": {"priority": -1}}, "priority"),
        ({"inputs": [IMAGE], "parameters": {"sequence_id": 7, "sequence_start": True}}, "sequence_id"),
        ({"inputs": [IMAGE], "parameters": {"content_type": "base64"}}, "content_type"),
        ({"inputs": [IMAGE], "parameters": {"binary_data_output": "yes"}}, "binary_data_output"),
        ({"inputs": [IMAGE], "parameters": {"notes": 1}}, "notes"),
        ({"inputs": [IMAGE], "parameters": {"mode": "instance"}}, "boxes are missing; mode=binary needs none"),
        ({"inputs": [IMAGE]}, "boxes are missing; mode=binary needs none"),
        ({"inputs": [IMAGE], "model_name": "hiseg_b0"}, "model_name: there is no such name"),
        ({"inputs": [IMAGE], "id": 7}, "id"),
        ({"inputs": [IMAGE], "outputs": {}}, "outputs"),
        ({"inputs": [IMAGE | {"dtype": "BYTES"}]}, "dtype: there is no such name"),
        ({"inputs": [IMAGE | {"datatype": "bytes"}]}, "must be BYTES"),
        ({"inputs": [tensor(datatype="UINT8", shape=[512, 949, 3], data=[0])]}, "must be BYTES"),
        (
            {"inputs": [tensor(parameters={"content_type": "base64"}, data=["AAAA"])]},
            "'content_type'; there is binary_data_size",
        ),
        ({"inputs": [tensor(parameters={"shared_memory_region": "r"})]}, "shared memory"),
        ({"inputs": [tensor(parameters={"binary_data_size": 0}, data=["AAAA"])]}, "both data and binary_data_size"),
        (
            {"inputs": [tensor(parameters={"binary_data_size": 4})]},
            "there is no header Inference-Header-Content-Length",
        ),
        ({"inputs": [tensor(parameters={"binary_data_size": True})]}, "binary_data_size is True"),
        ({"inputs": [IMAGE, BOXES | {"datatype": "FP16"}]}, "'FP16'; it must be FP32"),
        ({"inputs": [IMAGE, BOXES | {"datatype": "BF16"}]}, "'BF16'; it must be FP32"),
        ({"inputs": [IMAGE, BOXES | {"datatype": "FP64"}]}, "'FP64'; it must be FP32"),
        ({"inputs": [IMAGE, BOXES | {"shape": [4, 1]}]}, "[N, 4]"),
        ({"inputs": [IMAGE, BOXES | {"shape": [1, 4, 1]}]}, "[N, 4]"),
        ({"inputs": [IMAGE, BOXES | {"shape": []}]}, "[N, 4]"),
        ({"inputs": [IMAGE, BOXES | {"shape": [0, 4]}]}, "not the 0 numbers"),
        ({"inputs": [IMAGE, BOXES | {"shape": [True, 4]}]}, "shape"),
        ({"inputs": [IMAGE, BOXES | {"data": [1, 2, True, 4]}]}, "not the 4 numbers"),
        ({"inputs": [IMAGE, BOXES, tensor("rois")]}, "no input 'rois'; there are image, boxes"),
        (asked_for({"name": "masks"}, {"name": "masks"}), "the output 'masks' is there twice"),
        (asked_for({"name": "masks", "parameters": {"classification": 3}}), "masks are not classes"),
        (asked_for({"name": "masks", "parameters": {"shared_memory_region": "r"}}), "shared memory"),
        (asked_for({"name": "masks", "parameters": {"binary": True}}), "'binary': there is binary_data"),
        (asked_for({"name": "masks", "parameters": {"binary_data": 1}}), "binary_data is neither true nor false"),
        (asked_for({"name": "masks", "datatype": "BYTES"}), "datatype: there is no such name"),
    ],
)
def test_bad_requests_are_named(client: httpx.Client, body: object, text: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(f"{URL}/infer", content=content)
    assert answer.status_code == 422, answer.text
    assert list(answer.json()) == ["error", "reason"]
    assert text in answer.json()["error"]


@pytest.mark.parametrize(
    ("length", "body", "text"),
    [
        ("x", b"{}", "is 'x'; the body has 2 bytes"),
        ("3", b"{}", "is '3'; the body has 2 bytes"),
        ("13", b'{"inputs":[]}abc', "3 bytes follow that belong to no tensor"),
        ("-1", b"{}", "is '-1'"),
        ("+2", b"{}", "is '+2'"),
        ("2.0", b"{}", "is '2.0'"),
        ("0x2", b"{}", "is '0x2'"),
        ("", b"{}", "is ''"),
        ("0", b"{}", "JSON"),
    ],
)
def test_bad_header_lengths_are_named(client: httpx.Client, length: str, body: bytes, text: str) -> None:
    answer = client.post(f"{URL}/infer", content=body, headers={"Inference-Header-Content-Length": length})
    assert answer.status_code == 422
    assert text in answer.json()["error"]


def test_two_header_lengths_are_one_too_many(client: httpx.Client) -> None:
    name = "Inference-Header-Content-Length"
    answer = client.post(f"{URL}/infer", content=b"{}", headers=[(name, "2"), (name, "1")])
    assert answer.status_code == 422
    assert "is there 2 times" in answer.json()["error"]


def test_what_clients_leave_empty(client: httpx.Client, photo: bytes) -> None:
    """As KServe's and Triton's clients write requests."""
    image = tensor(data=[base64.b64encode(photo).decode()], parameters=None)
    nobody = tensor("boxes", [0, 4], "FP32", data=[], parameters={})
    body = {"id": "", "inputs": [image, nobody], "outputs": [], "parameters": None}
    for changed in (body, body | {"id": None, "outputs": None}):
        answer = client.post(f"{URL}/infer", json=changed)
        assert answer.status_code == 200, answer.text
        assert {output["name"]: output["shape"] for output in answer.json()["outputs"]} == {
            "masks": [0],
            "scores": [0],
            "areas": [0],
            "boxes": [0, 4],
            "image_size": [2],
        }


ANSWERED = {
    "get_model_config",
    "get_model_metadata",
    "get_model_repository_index",
    "get_inference_statistics",
    "get_server_metadata",
    "get_system_shared_memory_status",
    "get_cuda_shared_memory_status",
    "unregister_system_shared_memory",
    "unregister_cuda_shared_memory",
    "is_model_ready",
    "is_server_live",
    "is_server_ready",
    "infer",
    "async_infer",
}
"""Calls of Triton's clients that are answered; all others are refused with a sentence."""


@pytest.fixture(scope="module")
def calls(
    server: Server, tools: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, list[Any]]]:
    """What came of every call that Triton's clients have."""
    out = tmp_path_factory.mktemp("triton") / "said.json"
    tools("every_call.py", server.url.removeprefix("http://"), SAMPLE, out)
    return dict(json.loads(out.read_text()))


@pytest.mark.parametrize("kind", ["http", "aio"])
def test_every_call_of_triton_s_clients(calls: dict[str, dict[str, list[Any]]], kind: str) -> None:
    assert len(calls[kind]) > 25
    for call, (what, *found) in calls[kind].items():
        name, _, variant = call.partition("(")
        assert what != "broken", (call, found)
        if name in ANSWERED and variant not in ("region_name)", "name)"):
            assert what == "answer", (call, found)
        else:
            assert what == "error", (call, found)
            assert re.search("shared memory|loaded or unloaded|service's own settings", found[1]), (call, found)
    served = [{"name": name, "version": "1", "state": "READY"} for name in MODELS]
    assert calls[kind]["get_model_repository_index"][1] == served
    config = calls[kind]["get_model_config"][1]
    assert [(each["name"], each["data_type"], each["dims"]) for each in config["input"]] == [
        ("image", "TYPE_STRING", [1]),
        ("boxes", "TYPE_FP32", [-1, 4]),
    ]
    assert [each["name"] for each in config["output"]] == ["masks", "scores", "areas", "boxes", "image_size"]
    statistics = calls[kind]["get_inference_statistics"][1]["model_stats"]
    assert all(each["inference_count"] >= 0 for each in statistics)
    assert [(each["name"], each["version"]) for each in statistics] == [(name, "1") for name in MODELS]


def test_statistics_count_the_images(client: httpx.Client, photo: bytes) -> None:
    def count() -> list[int]:
        (found,) = client.get(f"{URL}/stats").json()["model_stats"]
        return [found["inference_count"], found["execution_count"], found["inference_stats"]["compute_infer"]["ns"]]

    def settled(least: int) -> list[int]:
        """Counts of at least so many images that stand still: a batch is counted a moment after its answers."""
        found = count()
        for _ in range(100):
            time.sleep(0.1)
            again = count()
            if found[0] >= least and again == found:
                break
            found = again
        return found

    before = settled(0)  # a batch of the test before may still be to come
    segment(client, photo)
    images, batches, nanoseconds = settled(before[0] + 1)
    assert (images, batches) == (before[0] + 1, before[1] + 1)
    assert nanoseconds > before[2]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("POST", "/v2/models/hiseg_b0/generate", 404),
        ("GET", "/v2/models/hiseg_b0/infer", 405),
        ("DELETE", "/v2/models/hiseg_b0", 405),
        ("GET", "/v2/models/nobody/stats", 404),
        ("GET", "/v2/models/nobody/config", 404),
        ("GET", "/v2/models/hiseg_b0/versions/9/config", 404),
        ("GET", "/v2/models/hiseg_b0?" + "a=1&" * 160, 422),
    ],
)
def test_every_error_has_the_protocol_s_form(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert "error" not in client.get("/v1/nothing").json()


def test_the_index(client: httpx.Client) -> None:
    whole = client.post("/v2/repository/index").json()
    assert whole == client.post("/v2/repository/index", json={"ready": True}).json()
    assert client.get("/v2/models").json() == {"models": [each["name"] for each in whole]}
    for body in ({"ready": "now"}, {"name": "x"}, [1]):
        answer = client.post("/v2/repository/index", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]


def test_bytes_elements_must_have_their_stated_length(client: httpx.Client) -> None:
    head = json.dumps({"inputs": [tensor(parameters={"binary_data_size": 6})]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post(f"{URL}/infer", content=head + b"\x09\0\0\0ab", headers=headers)
    assert answer.status_code == 422
    assert "length before it" in answer.json()["error"]


def test_json_alone_is_enough(client: httpx.Client, photo: bytes) -> None:
    image = tensor(data=[base64.b64encode(photo).decode()])
    nested = tensor("boxes", [2, 4], "FP32", data=SAMPLE_BOXES)
    answer = client.post(f"{URL}/infer", json={"inputs": [image, nested]}).json()
    areas = {output["name"]: output["data"] for output in answer["outputs"]}["areas"]
    assert areas == [instance["area"] for instance in segment(client, photo)]


def test_metrics_count_the_requests(client: httpx.Client, asked: Any) -> None:
    text = client.get("/metrics").text
    assert 'hiseg_requests_total{outcome="ok",transport="kserve"}' in text
    assert 'hiseg_requests_total{outcome="INVALID_REQUEST",transport="kserve"}' in text
