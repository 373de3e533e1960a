"""Health, models, limits, metrics and documentation of the running service."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness.repository import MODELS
from hiseg.api.encoding import MaskFormat
from hiseg.api.limits import max_connections, max_grpc_connections
from hiseg.engines.contract import PRECISIONS
from hiseg.settings import Settings


def test_health_and_readiness(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "engines": dict.fromkeys(MODELS, "onnx")}


def test_models(client: httpx.Client) -> None:
    models = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert sorted(models) == MODELS
    model = models["hiseg_b0"]
    assert (model["version"], model["variant"]) == ("1", "b0")
    assert [384, 640] in model["canvases"]
    assert model["mask_size"] == [128, 96]
    assert model["card"]["metrics"]["mean IoU on val"] >= 0.75


def test_info_states_every_limit(client: httpx.Client) -> None:
    info = client.get("/v1/info").json()
    settings = Settings()
    assert info["limits"] == {
        "image_bytes": settings.max_image_bytes,
        "image_pixels": settings.max_image_pixels,
        "image_side_px": 1_000_000,
        "image_parts": 4096,
        "image_scans": 100,
        "image_frames": 4096,
        "image_profile_bytes": 4194304,
        "body_bytes": settings.max_body_bytes,
        "boxes": settings.max_boxes,
        "dilation_px": 100,
        "tolerance_px": 100,
        "mask_pixels": 200_000_000,
        "cutout_pixels": 50_000_000,
        "held_bytes": settings.max_held_bytes,
        "work_bytes": settings.max_held_bytes * 9 // 8,
        "wait_ms": settings.max_wait_ms,
        "batch_budget_ms": settings.batch_budget_ms,
        "batch_images": settings.max_batch_images,
        "batch_boxes": settings.max_batch_boxes,
        "batch_bytes": settings.max_batch_bytes,
        "connections": max_connections(),
        "head_bytes": 32768,
        "headers": 100,
        "head_seconds": 10,
        "query_parameters": 150,
        "body_seconds": settings.body_timeout_seconds,
        "body_bytes_per_s": 4096,
        "drain_seconds": settings.drain_seconds,
        "default_deadline_ms": settings.default_deadline_ms,
        "json_bytes": 64 * 1024 + 256 * settings.max_boxes,
        "message_bytes": settings.max_message_bytes,
        "answer_bytes": settings.max_answer_bytes,
        "calls": settings.grpc_max_calls,
        "streams": settings.grpc_max_streams,
        "stream_queue": settings.grpc_stream_queue,
        "stream_in_flight": settings.grpc_stream_in_flight,
        "stream_unanswered": 256,
        "stream_config_s": 10,
        "stream_idle_s": 600,
        "grpc_connections": max_grpc_connections(),
        "ping_interval_s": settings.grpc_min_ping_interval_seconds,
    }
    assert info["variants"] == ["b0"]
    assert info["mask_formats"] == list(MaskFormat)
    assert (len(info["palette"]), info["palette"][0]) == (50, "#e69f00")
    assert info["smoothings"] == ["none", "edge", "bilateral"]


def samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, *(v for _, v in sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_metrics_add_up_to_the_requests_sent(client: httpx.Client, photo: bytes) -> None:
    def total(found: dict[tuple[str, ...], float], *key: str) -> float:
        return found.get(("hiseg_requests_total", *key, "http"), 0)

    before = samples(client)
    headers = {"content-type": "image/jpeg"}
    for _ in range(3):
        client.post("/v1/segment", params={"boxes": "22,15,365,512"}, content=photo, headers=headers)
    client.post("/v1/segment", params={"boxes": ""}, content=b"junk", headers=headers)
    client.post("/v1/segment", params={"boxes": "x"}, content=photo, headers=headers)
    client.post("/v1/segment", params={"boxes": "", "deadline_ms": 1}, content=photo, headers=headers)
    client.post("/v1/segment", params={"boxes": ";".join(["0,0,9,9"] * 101)}, content=photo, headers=headers)
    after = samples(client)
    sent = {"ok": 3, "UNSUPPORTED_IMAGE": 1, "INVALID_REQUEST": 1, "DEADLINE_EXCEEDED": 1, "TOO_MANY_BOXES": 1}
    for outcome, count in sent.items():
        assert total(after, outcome) - total(before, outcome) == count
    everything = sum(after[key] - before.get(key, 0) for key in after if key[0] == "hiseg_requests_total")
    assert everything == sum(sent.values())
    durations = sum(after[key] - before.get(key, 0) for key in after if key[0] == "hiseg_request_seconds_count")
    assert durations == everything
    for stage in ("decode", "queue", "infer", "masks", "encode"):
        key = ("hiseg_stage_seconds_count", stage)
        assert after[key] - before.get(key, 0) == 3


def test_metrics_of_the_batcher(client: httpx.Client, photo: bytes) -> None:
    before = samples(client)
    query = {"boxes": "22,15,365,512;526,18,949,512"}
    client.post("/v1/segment", params=query, content=photo, headers={"content-type": "image/jpeg"})

    def grown(name: str) -> float:
        return after[(name, "hiseg_b0")] - before[(name, "hiseg_b0")]

    after = samples(client)
    while not grown("hiseg_batch_images_sum"):  # a batch is counted shortly after its answers went out
        time.sleep(0.01)
        after = samples(client)
    assert grown("hiseg_batch_images_sum") == 1
    assert grown("hiseg_batch_rois_sum") == 2
    assert grown("hiseg_batch_seconds_sum") > 0
    assert grown("hiseg_batch_seconds_sum") == pytest.approx(grown("hiseg_engine_busy_seconds_total"))
    assert 0.2 < grown("hiseg_batch_predicted_seconds_sum") / grown("hiseg_batch_seconds_sum") < 5
    for gauge in ("hiseg_queue_jobs", "hiseg_queue_age_seconds", "hiseg_queue_predicted_seconds"):
        assert after[(gauge, "hiseg_b0")] == 0
    assert after[("hiseg_requests_in_progress",)] == after[("hiseg_held_bytes",)] == 0
    precision = client.get("/v1/info").json()["precision_of_model"]["hiseg_b0"]
    assert precision in PRECISIONS
    assert after[("hiseg_model_info", "onnx", "hiseg_b0", precision, "b0", "1")] == 1


def test_labels_are_bounded_whatever_is_sent(client: httpx.Client, photo: bytes) -> None:
    def count() -> int:
        return len(samples(client))

    def send(number: int) -> None:
        headers = {"content-type": "image/jpeg", "x-forwarded-for": f"10.0.0.{number}"}
        client.post("/v1/segment", params={"boxes": "", "variant": f"b{number + 10}"}, content=photo, headers=headers)

    send(0)
    before = count()
    for number in range(1, 20):
        send(number)
    assert count() == before


def test_documentation_needs_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert not re.search(r'(src|href)="(https?:)?//', page)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(asset).status_code == 200, asset


def test_openapi_describes_the_three_bodies(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/segment"]["post"]
    forms = {"application/octet-stream", "multipart/form-data", "application/json"}
    assert set(operation["requestBody"]["content"]) == forms
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert {"boxes", "variant", "mode", "mask_format", "threshold", "box_format", "normalized"} <= names
    assert {"200", "413", "415", "422", "429", "503", "504"} <= set(operation["responses"])


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/docs/assets/nothing"])
def test_unknown_paths_are_problems(client: httpx.Client, path: str) -> None:
    problem = client.get(path)
    assert problem.status_code == 404
    assert problem.headers["content-type"] == "application/problem+json"
