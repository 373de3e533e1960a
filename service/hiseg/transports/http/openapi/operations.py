"""Every route of the document: its name, what it reads, and what it answers. A test holds that none is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hiseg.transports.http.content import OCTETS
from hiseg.transports.http.openapi import answers, bodies, examples
from hiseg.transports.http.openapi.bodies import BINARY

PNG = "image/png"
SEGMENT, ABOUT, OPERATIONS, KSERVE, LABEL_STUDIO = (
    "segment",
    "about",
    "operations",
    "open inference protocol",
    "label studio",
)
TAGS = [
    {
        "name": SEGMENT,
        "description": "An image and boxes of the people in it go in, one mask per person comes out.",
    },
    {"name": ABOUT, "description": "What the service can do, and its limits."},
    {"name": OPERATIONS, "description": "For load balancers and monitoring; they need no API key."},
    {"name": KSERVE, "description": "The same masks for clients of KServe and Triton."},
    {"name": LABEL_STUDIO, "description": "The same masks for Label Studio, as its machine learning backend."},
]
IN_JSON = (400, 401, 405, 413, 415, 422, 429, 431, 500, 503, 504)
"""Statuses of problems of every route that reads a body of JSON and asks the engine."""
MASKS = tuple(sorted({*IN_JSON, 406, 414}))


@dataclass(frozen=True)
class Operation:
    """What is known of a route besides its path and its docstring.

    Attributes:
        id: its name, of which clients make the name of a function.
        tag: the group that it is of.
        answer: schema of its answer; None: it isn't JSON.
        problems: statuses of its problems.
        body: makes what it reads; None: it reads nothing.
        example: a real answer.
        content: its answer where that isn't JSON, by media type.
        is_list: the answer is a list of that schema.
        in_kserve_form: its problems have the form of the Open Inference Protocol, but for those about keys.
        parameters: makes further parameters.
    """

    id: str
    tag: str
    answer: str | None
    problems: tuple[int, ...] = (401, 500)
    body: Callable[[], dict[str, Any]] | None = None
    example: object = None
    content: dict[str, Any] | None = None
    is_list: bool = False
    in_kserve_form: bool = False
    parameters: Callable[[], list[dict[str, Any]]] = list


def _kserve(id: str, answer: type[answers.Answer], *statuses: int, **more: Any) -> Operation:
    return Operation(id, KSERVE, answer.__name__, (401, *statuses, 500), in_kserve_form=True, **more)


def _label_studio(id: str, answer: type[answers.Answer], *statuses: int, **more: Any) -> Operation:
    return Operation(id, LABEL_STUDIO, answer.__name__, tuple(sorted({401, 500, *statuses})), **more)


PNG_CONTENT = {PNG: {"schema": BINARY}, OCTETS: {"schema": BINARY}}
INFER = {"body": bodies.infer_body, "example": examples.INFERRED}


def _of_a_model(
    method: str, path: str, name: str, answer: type[answers.Answer], *statuses: int, **more: Any
) -> dict[tuple[str, str], Operation]:
    """The operation on a model, and the same on one version of it."""
    return {
        (method, "/v2/models/{name}" + path): _kserve(f"kserve_model{name}", answer, *statuses, **more),
        (method, "/v2/models/{name}/versions/{number}" + path): _kserve(
            f"kserve_version{name}", answer, *statuses, **more
        ),
    }


DESCRIBED: dict[tuple[str, str], Operation] = {
    ("post", "/v1/segment"): Operation(
        "segment",
        SEGMENT,
        "SegmentOut",
        MASKS,
        partial(bodies.image_body, as_png=False),
        examples.SEGMENTED,
        parameters=partial(bodies.parameters, as_png=False),
    ),
    ("post", "/v1/segment/png"): Operation(
        "segment_png",
        SEGMENT,
        None,
        MASKS,
        partial(bodies.image_body, as_png=True),
        content=PNG_CONTENT,
        parameters=partial(bodies.parameters, as_png=True),
    ),
    ("get", "/v1/info"): Operation("info", ABOUT, "Info"),
    ("get", "/v1/models"): Operation("models", ABOUT, "Models"),
    ("get", "/healthz"): Operation("healthz", OPERATIONS, "Health", (500,)),
    ("get", "/readyz"): Operation("readyz", OPERATIONS, "Ready", (500, 503)),
    ("get", "/metrics"): Operation(
        "metrics", OPERATIONS, None, (500,), content={"text/plain": {"schema": {"type": "string"}}}
    ),
    ("get", "/v2"): _kserve("kserve_server", answers.KserveServer),
    ("get", "/v2/health/live"): _kserve("kserve_live", answers.KserveLive),
    ("get", "/v2/health/ready"): _kserve("kserve_ready", answers.KserveReady, 503),
    ("get", "/v2/models"): _kserve("kserve_models", answers.KserveModels),
    ("get", "/v2/models/stats"): _kserve("kserve_all_statistics", answers.KserveStatistics),
    ("post", "/v2/repository/index"): _kserve(
        "kserve_index", answers.KserveState, *IN_JSON, body=bodies.index_body, is_list=True
    ),
    **_of_a_model("get", "", "", answers.KserveModel, 404, 503),
    **_of_a_model("get", "/ready", "_ready", answers.KserveModelReady, 404, 503),
    **_of_a_model("get", "/config", "_config", answers.KserveConfig, 404, 503),
    **_of_a_model("get", "/stats", "_statistics", answers.KserveStatistics, 404, 503),
    **_of_a_model("post", "/infer", "_infer", answers.KserveInferred, 404, *IN_JSON, **INFER),
    ("get", "/health"): _label_studio("label_studio_health", answers.LabelStudioHealth, 503),
    ("post", "/setup"): _label_studio("label_studio_setup", answers.LabelStudioSetup, *IN_JSON, body=bodies.setup_body),
    ("get", "/versions"): _label_studio("label_studio_versions", answers.LabelStudioVersions, 503),
    ("post", "/versions"): _label_studio("label_studio_post_versions", answers.LabelStudioVersions, 503),
    ("post", "/webhook"): _label_studio(
        "label_studio_webhook", answers.LabelStudioHealth, *IN_JSON, body=bodies.event_body
    ),
    ("post", "/train"): _label_studio("label_studio_train", answers.LabelStudioHealth, 422),
    ("post", "/predict"): _label_studio(
        "label_studio_predict", answers.LabelStudioPredictions, *IN_JSON, body=bodies.predict_body
    ),
}
