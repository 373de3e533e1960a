"""`POST /v1/segment` on the running service: its three body forms, its formats, its errors."""

from __future__ import annotations

import base64
import io
import json
import math
from typing import Any

import cv2
import httpx
import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask

from benchmarks.gpu_like import command
from benchmarks.harness.paths import SAMPLE_BOXES
from benchmarks.harness.serving import Server, serving
from hiseg.core.box import Box
from hiseg.engines.contract import PRECISIONS

URL = "/v1/segment"
QUERY = ";".join(",".join(f"{v:g}" for v in box) for box in SAMPLE_BOXES)
JPEG = {"content-type": "image/jpeg"}


def post(client: httpx.Client, photo: bytes, **options: Any) -> httpx.Response:
    return client.post(URL, params={"boxes": QUERY, **options}, content=photo, headers=JPEG)


def new_client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=60)


def decoded(mask: dict[str, Any]) -> np.ndarray:
    return np.asarray(coco_mask.decode({"size": mask["size"], "counts": mask["counts"].encode()}), dtype=bool)


@pytest.fixture(scope="module")
def answer(client: httpx.Client, photo: bytes) -> dict[str, Any]:
    response = post(client, photo)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_fields(answer: dict[str, Any]) -> None:
    assert answer["image"] == {"width": 949, "height": 512, "notes": []}
    precision = answer["model"]["precision"]
    assert precision in PRECISIONS
    named = {"name": "hiseg_b0", "version": "1", "variant": "b0"}
    assert answer["model"] == named | {"engine": "onnx", "precision": precision}
    assert [instance["box"] for instance in answer["instances"]] == SAMPLE_BOXES
    assert list(answer["timings_ms"]) == ["decode", "queue", "infer", "masks", "encode"]


def test_masks_have_the_images_size_and_lie_in_what_the_model_saw(answer: dict[str, Any]) -> None:
    for instance in answer["instances"]:
        mask = decoded(instance["mask"])
        assert mask.shape == (512, 949)
        assert mask.sum() == instance["area"] > 0
        seen = Box(*instance["box"]).scaled(1.2).clipped(949, 512)
        rows, columns = slice(int(seen.y1), math.ceil(seen.y2)), slice(int(seen.x1), math.ceil(seen.x2))
        assert mask[rows, columns].sum() == instance["area"]
        assert 0.5 < instance["score"] <= 1


def test_masks_show_the_people(answer: dict[str, Any]) -> None:
    """Points that anybody sees on the sample photo: faces and chests are people, flags and sky are not."""
    first, second = (decoded(instance["mask"]) for instance in answer["instances"])
    for x, y in ((225, 110), (90, 380), (230, 300)):
        assert first[y, x], f"({x}, {y}) is on the first person"
    for x, y in ((740, 180), (600, 430), (850, 420)):
        assert second[y, x], f"({x}, {y}) is on the second person"
    for x, y in ((60, 60), (330, 60), (350, 200)):
        assert not first[y, x], f"({x}, {y}) is behind the first person"
    for x, y in ((545, 120), (900, 100), (920, 200)):
        assert not second[y, x], f"({x}, {y}) is behind the second person"


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "timings_ms"}


def test_multipart_gives_the_same(client: httpx.Client, photo: bytes, answer: dict[str, Any]) -> None:
    request = {"request": json.dumps({"boxes": SAMPLE_BOXES})}
    response = client.post(URL, files={"image": ("people.jpg", photo, "image/jpeg")}, data=request)
    assert without_times(response.json()) == without_times(answer)


def test_json_gives_the_same(client: httpx.Client, photo: bytes, answer: dict[str, Any]) -> None:
    response = client.post(URL, json={"image": base64.b64encode(photo).decode(), "boxes": SAMPLE_BOXES})
    assert without_times(response.json()) == without_times(answer)


@pytest.mark.parametrize("form", ["xywh", "cxcywh"])
@pytest.mark.parametrize("normalized", [False, True])
def test_box_formats_give_the_same(
    client: httpx.Client, photo: bytes, answer: dict[str, Any], form: str, normalized: bool
) -> None:
    boxes = np.array(SAMPLE_BOXES)
    sides = boxes[:, 2:] - boxes[:, :2]
    rows = np.hstack([boxes[:, :2] if form == "xywh" else boxes[:, :2] + sides / 2, sides])
    if normalized:
        rows = rows / (949, 512, 949, 512)
    options = {"boxes": rows.tolist(), "box_format": form, "normalized": normalized}
    response = client.post(URL, files={"image": photo}, data={"request": json.dumps(options)})
    for found, expected in zip(response.json()["instances"], answer["instances"], strict=True):
        assert found["box"] == pytest.approx(expected["box"])
        assert abs(found["area"] - expected["area"]) <= 0.001 * expected["area"]


def test_server_timing_header(client: httpx.Client, photo: bytes) -> None:
    response = post(client, photo)
    timings = dict(part.split(";dur=") for part in response.headers["server-timing"].split(", "))
    assert {stage: float(ms) for stage, ms in timings.items()} == response.json()["timings_ms"]


def placed(mask: dict[str, Any], pixels: np.ndarray) -> np.ndarray:
    """A crop on the whole image."""
    assert pixels.shape == (mask["height"], mask["width"])
    full = np.zeros((512, 949), dtype=bool)
    full[mask["top"] : mask["top"] + mask["height"], mask["left"] : mask["left"] + mask["width"]] = pixels
    return full


def from_uncompressed(mask: dict[str, Any]) -> np.ndarray:
    return np.asarray(coco_mask.decode(coco_mask.frPyObjects(mask, *mask["size"])), dtype=bool)


def from_packed(mask: dict[str, Any]) -> np.ndarray:
    rows = np.frombuffer(base64.b64decode(mask["data"]), np.uint8).reshape(mask["height"], -1)
    return placed(mask, np.unpackbits(rows, axis=1, count=mask["width"]).astype(bool))


def from_png(mask: dict[str, Any]) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(base64.b64decode(mask["data"]))) as picture:
        return placed(mask, np.asarray(picture))


def from_cutout(mask: dict[str, Any]) -> np.ndarray:
    with PIL.Image.open(io.BytesIO(base64.b64decode(mask["data"]))) as picture:
        return placed(mask, np.asarray(picture)[:, :, 3] == 255)


def from_polygon(mask: dict[str, Any]) -> np.ndarray:
    pixels = np.zeros((512, 949), dtype=np.uint8)
    for part in mask["polygons"]:
        for ring in (part["outer"], *part["holes"]):
            pixels ^= coco_mask.decode(coco_mask.frPyObjects([[float(v) for v in ring]], 512, 949)[0])
    return pixels.astype(bool)


FORMATS = {
    "coco_rle_uncompressed": from_uncompressed,
    "png": from_png,
    "packed": from_packed,
    "cutout": from_cutout,
    "polygon": from_polygon,
}


@pytest.mark.parametrize("mask_format", FORMATS)
def test_every_format_says_the_same(
    client: httpx.Client, photo: bytes, answer: dict[str, Any], mask_format: str
) -> None:
    instances = post(client, photo, mask_format=mask_format, tolerance_px=0).json()["instances"]
    for instance, expected in zip(instances, answer["instances"], strict=True):
        assert instance["mask"]["format"] == mask_format
        assert instance["area"] == expected["area"]
        np.testing.assert_array_equal(FORMATS[mask_format](instance["mask"]), decoded(expected["mask"]))


@pytest.mark.parametrize("mask_format", FORMATS)
def test_no_boxes_in_every_format(client: httpx.Client, photo: bytes, mask_format: str) -> None:
    boxes = "5000,5000,5001,5001;22,15,365,512"
    nobody, _ = post(client, photo, boxes=boxes, mask_format=mask_format).json()["instances"]
    assert nobody["area"] == 0
    if mask_format == "polygon":
        assert (nobody["mask"]["polygons"], nobody["mask"]["iou"]) == ([], 1)
    elif mask_format == "coco_rle_uncompressed":
        assert nobody["mask"]["counts"] == [512 * 949]
    else:
        assert nobody["mask"]["data"] == ""


def test_polygons_state_what_simplifying_them_cost(client: httpx.Client, photo: bytes, answer: dict[str, Any]) -> None:
    corners = []
    for tolerance in (0.5, 1, 4):
        instances = post(client, photo, mask_format="polygon", tolerance_px=tolerance).json()["instances"]
        corners.append(sum(len(part["outer"]) for part in instances[0]["mask"]["polygons"]))
        for instance, expected in zip(instances, answer["instances"], strict=True):
            found, exact = from_polygon(instance["mask"]), decoded(expected["mask"])
            # pycocotools rounds points on lines to fifths of a pixel, so it fills slanted ones a little differently.
            assert instance["mask"]["iou"] == pytest.approx((found & exact).sum() / (found | exact).sum(), abs=0.003)
            assert 0.97 < instance["mask"]["iou"] <= 1
    assert corners == sorted(corners, reverse=True)


def test_everybody_cut_out(client: httpx.Client, photo: bytes, answer: dict[str, Any]) -> None:
    query = {"boxes": QUERY, "mask_format": "cutout"}
    found = picture(client.post(URL, params=query, content=photo, headers=JPEG | {"accept": "image/png"}))
    anybody = np.any([decoded(instance["mask"]) for instance in answer["instances"]], axis=0)
    np.testing.assert_array_equal(found[:, :, 3] == 255, anybody)
    with PIL.Image.open(io.BytesIO(photo)) as original:
        np.testing.assert_array_equal(found[anybody, :3], np.asarray(original.convert("RGB"))[anybody])
    assert not found[~anybody].any()


def test_too_many_cut_outs(client: httpx.Client) -> None:
    file = io.BytesIO()
    PIL.Image.new("RGB", (2000, 1500)).save(file, "JPEG")
    boxes = ";".join(["0,0,2000,1500"] * 17)
    problem = post(client, file.getvalue(), boxes=boxes, mask_format="cutout")
    assert problem.status_code == 413
    told = problem.json()
    assert (told["field"], told["limit"], told["value"]) == ("mask_format", 50_000_000, 51_000_000)


def picture(response: httpx.Response) -> np.ndarray:
    assert response.headers["content-type"] == "image/png"
    assert "server-timing" in response.headers
    with PIL.Image.open(io.BytesIO(response.content)) as opened:
        return np.asarray(opened)


def test_label_map(client: httpx.Client, photo: bytes, answer: dict[str, Any]) -> None:
    labels = picture(post(client, photo, mask_format="label_map"))
    for index, instance in enumerate(answer["instances"]):
        np.testing.assert_array_equal(labels == index + 1, decoded(instance["mask"]))
    accepted = client.post(URL, params={"boxes": QUERY}, content=photo, headers=JPEG | {"accept": "image/png"})
    np.testing.assert_array_equal(picture(accepted), labels)


def test_a_label_map_numbers_more_people_than_8_bits_can(photo: bytes) -> None:
    boxes = ";".join(f"{3 * index},100,{3 * index + 40},300" for index in range(300))
    free = command("--constant", "0", "--roi", "0")
    with serving(free, max_boxes=300, max_batch_boxes=300) as crowded, new_client(crowded) as client:
        one = post(client, photo, boxes=boxes, mask_format="label_map")
        other = client.post(URL, params={"boxes": boxes}, content=photo, headers=JPEG | {"accept": "image/png"})
    assert picture(one).max() > 255
    np.testing.assert_array_equal(picture(one), picture(other))


def test_overlay(client: httpx.Client, photo: bytes, answer: dict[str, Any]) -> None:
    drawn = picture(post(client, photo, mask_format="overlay"))
    with PIL.Image.open(io.BytesIO(photo)) as opened:
        original = np.asarray(opened.convert("RGB"))
    assert drawn.shape == original.shape
    mask = decoded(answer["instances"][0]["mask"])
    assert (drawn[mask] != original[mask]).any(axis=1).mean() > 0.95
    np.testing.assert_array_equal(drawn[40:60, 370:510], original[40:60, 370:510])


def test_binary_mode(client: httpx.Client, photo: bytes) -> None:
    answer = client.post(URL, params={"mode": "binary"}, content=photo, headers=JPEG).json()
    assert answer["instances"] == []
    assert decoded(answer["foreground"]["mask"]).sum() == answer["foreground"]["area"] > 0
    assert answer["foreground"]["box"] == [0, 0, 949, 512]


def test_a_higher_threshold_gives_smaller_masks(client: httpx.Client, photo: bytes) -> None:
    areas = [post(client, photo, threshold=t).json()["instances"][0]["area"] for t in (0.2, 0.5, 0.8)]
    assert areas[0] > areas[1] > areas[2]


def test_masks_grow_beyond_their_boxes_but_not_beyond_the_image(
    client: httpx.Client, photo: bytes, answer: dict[str, Any]
) -> None:
    y, x = np.mgrid[-10:11, -10:11]
    disc = (x * x + y * y <= 100).astype(np.uint8)
    grown = post(client, photo, dilation_px=10).json()["instances"]
    for found, expected in zip(grown, answer["instances"], strict=True):
        before = decoded(expected["mask"]).astype(np.uint8)
        np.testing.assert_array_equal(decoded(found["mask"]), cv2.dilate(before, disc).astype(bool))
        assert found["box"] == expected["box"]
        x1, _, x2, _ = (round(v) for v in found["box"])
        assert decoded(found["mask"])[:, : max(0, x1)].any() or decoded(found["mask"])[:, x2:].any()


def test_no_pixel_has_two_owners(client: httpx.Client, photo: bytes) -> None:
    boxes = f"{QUERY};100,100,700,512;0,0,949,512"
    both = np.array([decoded(found["mask"]) for found in post(client, photo, boxes=boxes).json()["instances"]])
    assert both.sum(axis=0).max() > 1
    single = post(client, photo, boxes=boxes, resolve_overlaps=True).json()["instances"]
    owned = np.array([decoded(found["mask"]) for found in single])
    np.testing.assert_array_equal(owned.sum(axis=0), both.any(axis=0))


@pytest.mark.parametrize("how", ["edge", "bilateral"])
def test_smoothing_moves_few_pixels(client: httpx.Client, photo: bytes, answer: dict[str, Any], how: str) -> None:
    for found, expected in zip(
        post(client, photo, smoothing=how).json()["instances"], answer["instances"], strict=True
    ):
        moved = decoded(found["mask"]) ^ decoded(expected["mask"])
        assert 0 < moved.sum() < 0.03 * expected["area"]


def test_boxes_are_clipped_and_kept_in_order_also_when_empty(client: httpx.Client, photo: bytes) -> None:
    boxes = "900,400,2000,3000;5000,5000,5001,5001;-50,-50,365,512"
    instances = post(client, photo, boxes=boxes).json()["instances"]
    assert [instance["box"] for instance in instances] == [[900, 400, 949, 512], [949, 512, 949, 512], [0, 0, 365, 512]]
    assert (instances[1]["area"], instances[1]["score"]) == (0, 0)
    assert not decoded(instances[1]["mask"]).any()


def test_notes_say_what_decoding_changed(client: httpx.Client) -> None:
    file = io.BytesIO()
    PIL.Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(file, "PNG")
    headers = {"content-type": "image/png"}
    response = client.post(URL, params={"boxes": ""}, content=file.getvalue(), headers=headers)
    assert "laid on white" in response.json()["image"]["notes"][0]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"boxes": "1,2,3"}, "boxes[0]"),
        ({"boxes": "1,2,3,4;a,b,c,d"}, "boxes[1]"),
        ({"boxes": "nan,0,5,5"}, "boxes[0]"),
        ({"boxes": "0,0,inf,5"}, "boxes[0]"),
        ({"boxes": "9,0,5,5"}, "boxes[0]"),
        ({"boxes": "5,5,5,5"}, "boxes[0]"),
        ({"variant": "b9"}, "variant"),
        ({"mode": "x"}, "mode"),
        ({"mask_format": "gif"}, "mask_format"),
        ({"threshold": "0"}, "threshold"),
        ({"threshold": "1.5"}, "threshold"),
        ({"deadline_ms": "-1"}, "deadline_ms"),
        ({"smoothing": "gaussian"}, "smoothing"),
        ({"dilation_px": "-1"}, "dilation_px"),
        ({"tolerance_px": "-0.1"}, "tolerance_px"),
        ({"tolerance_px": "101"}, "tolerance_px"),
        ({"tolerance_px": "nan"}, "tolerance_px"),
        ({"dilation_px": "1.5"}, "dilation_px"),
        ({"resolve_overlaps": "perhaps"}, "resolve_overlaps"),
        ({"colour": "red"}, "colour"),
        ({"threshold": "nan"}, "threshold"),
        ({"boxes": "1e308,1e308,1e308,1e308", "box_format": "cxcywh", "normalized": "true"}, "boxes[0]"),
    ],
)
def test_bad_options_are_named(client: httpx.Client, photo: bytes, options: dict[str, str], field: str) -> None:
    problem = post(client, photo, **options)
    assert problem.status_code == 422
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["field"] == field
    assert problem.json()["status"] == 422


def test_a_limit_is_named(client: httpx.Client, photo: bytes) -> None:
    problem = post(client, photo, dilation_px=101).json()
    assert (problem["field"], problem["limit"], problem["value"]) == ("dilation_px", 100, 101)
    assert client.get("/v1/info").json()["limits"]["dilation_px"] == 100


def test_too_many_boxes(client: httpx.Client, photo: bytes) -> None:
    problem = post(client, photo, boxes=";".join(["0,0,9,9"] * 101))
    assert problem.status_code == 413
    assert (problem.json()["field"], problem.json()["limit"], problem.json()["value"]) == ("boxes", 100, 101)


def test_deadline(client: httpx.Client, photo: bytes) -> None:
    problem = post(client, photo, deadline_ms=1)
    assert problem.status_code == 504
    assert problem.json()["field"] == "deadline_ms"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods(client: httpx.Client, method: str) -> None:
    problem = client.request(method, URL)
    assert problem.status_code == 405
    assert problem.headers["content-type"] == "application/problem+json"
