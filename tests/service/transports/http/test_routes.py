"""Health, models, limits, metrics and documentation of the running service."""

from __future__ import annotations

import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.settings import Settings


def test_health_and_readiness(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_models(client: httpx.Client) -> None:
    (model,) = client.get("/v1/models").json()["models"]
    assert (model["name"], model["version"], model["variant"]) == ("hiseg_b0", "1", "b0")
    assert [384, 640] in model["canvases"]
    assert model["mask_size"] == [128, 96]
    assert model["card"]["metrics"]["mean IoU on val"] >= 0.75


def test_info_states_every_limit(client: httpx.Client) -> None:
    info = client.get("/v1/info").json()
    settings = Settings()
    assert info["limits"] == {
        "image_bytes": settings.max_image_bytes,
        "image_pixels": settings.max_image_pixels,
        "body_bytes": settings.max_body_bytes,
        "boxes": settings.max_boxes,
        "jobs": settings.max_jobs,
        "default_deadline_ms": settings.default_deadline_ms,
    }
    assert info["variants"] == ["b0"]
    assert info["mask_formats"] == ["coco_rle", "png", "label_map", "overlay"]


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
    client.post("/v1/segment", content=b"junk", headers=headers)
    client.post("/v1/segment", params={"boxes": "x"}, content=photo, headers=headers)
    after = samples(client)
    for outcome, sent in (("ok", 3), ("UnsupportedImage", 1), ("InvalidRequest", 1)):
        assert total(after, outcome) - total(before, outcome) == sent
    for stage in ("decode", "queue", "infer", "masks", "encode"):
        key = ("hiseg_stage_seconds_count", stage)
        assert after[key] - before.get(key, 0) == 3
    assert after[("hiseg_requests_inside",)] == 0


def test_documentation_needs_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert not re.search(r'(src|href)="(https?:)?//', page)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(asset).status_code == 200, asset
    assert client.get("/").headers["location"] == "docs"


def test_openapi_describes_the_three_bodies(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/segment"]["post"]
    assert {"image/jpeg", "multipart/form-data", "application/json"} <= set(operation["requestBody"]["content"])
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert {"boxes", "variant", "mode", "mask_format", "threshold", "box_format", "normalized"} <= names
    assert {"200", "413", "415", "422", "429", "503", "504"} <= set(operation["responses"])


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/docs/assets/nothing"])
def test_unknown_paths_are_problems(client: httpx.Client, path: str) -> None:
    problem = client.get(path)
    assert problem.status_code == 404
    assert problem.headers["content-type"] == "application/problem+json"
