"""Puts the document together: FastAPI's own list of routes, with the bodies, answers and problems it can't know of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

from fastapi import FastAPI

from hiseg.transports.http.content import JSON, OCTETS
from hiseg.transports.http.middleware import needs_key
from hiseg.transports.http.openapi import answers, bodies, examples, problems
from hiseg.transports.http.openapi.bodies import BINARY, SCHEMAS
from hiseg.transports.http.openapi.plain import plain

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
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where the service needs one"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in another header"},
}
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
    in_kserve_form: bool = False
    parameters: Callable[[], list[dict[str, Any]]] = list


def _kserve(id: str, answer: type[answers.Answer], *statuses: int, **more: Any) -> Operation:
    return Operation(id, KSERVE, answer.__name__, (401, *statuses, 500), in_kserve_form=True, **more)


def _label_studio(id: str, answer: type[answers.Answer], *statuses: int, **more: Any) -> Operation:
    return Operation(id, LABEL_STUDIO, answer.__name__, tuple(sorted({401, 500, *statuses})), **more)


PNG_CONTENT = {PNG: {"schema": BINARY}, OCTETS: {"schema": BINARY}}
INFER = {"body": bodies.infer_body, "example": examples.INFERRED}
OF_A_MODEL = "/v2/models/{name}"
OF_A_VERSION = OF_A_MODEL + "/versions/{number}"
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
    ("get", OF_A_MODEL): _kserve("kserve_model", answers.KserveModel, 404, 503),
    ("get", OF_A_VERSION): _kserve("kserve_model_version", answers.KserveModel, 404, 503),
    ("get", OF_A_MODEL + "/ready"): _kserve("kserve_model_ready", answers.KserveModelReady, 404, 503),
    ("get", OF_A_VERSION + "/ready"): _kserve("kserve_model_version_ready", answers.KserveModelReady, 404, 503),
    ("post", OF_A_MODEL + "/infer"): _kserve("kserve_infer", answers.KserveInferred, 404, *IN_JSON, **INFER),
    ("post", OF_A_VERSION + "/infer"): _kserve("kserve_infer_version", answers.KserveInferred, 404, *IN_JSON, **INFER),
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


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, with a description of each of its operations."""
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # two of FastAPI's own ids are the same; they are replaced
        found = app.openapi()
    schemas = {name: schema for name, schema in found["components"]["schemas"].items() if "Validation" not in name}
    return {
        **{name: value for name, value in found.items() if name not in ("paths", "components")},
        "security": [{}, *({name: []} for name in SECURITY)],
        "tags": TAGS,
        "paths": {
            path: {method: _operation(method, path, each) for method, each in methods.items()}
            for path, methods in sorted(found["paths"].items(), key=lambda item: _place(item[1]))
        },
        "components": {
            "schemas": plain(schemas | bodies.schemas()),
            "responses": problems.responses(),
            "securitySchemes": SECURITY,
        },
    }


def _place(methods: dict[str, Any]) -> int:
    """Where a path stands: in the order of the tags, as the route itself has them."""
    tags = [tag["name"] for tag in TAGS]
    return min(tags.index(tag) for each in methods.values() for tag in each["tags"])


def _operation(method: str, path: str, known: dict[str, Any]) -> dict[str, Any]:
    """An operation as FastAPI knows it, completed if it is described here."""
    described = DESCRIBED.get((method, path))
    if described is None:
        return known
    path_parameters = [each for each in known.get("parameters", []) if each["in"] == "path"]
    operation: dict[str, Any] = {name: known[name] for name in ("summary", "description") if name in known}
    operation |= {"operationId": described.id, "tags": [described.tag]}
    if parameters := path_parameters + described.parameters():
        operation["parameters"] = plain(parameters)
    if described.body is not None:
        operation["requestBody"] = described.body()
    if not needs_key(path):
        operation["security"] = []
    statuses = [each for each in described.problems if each != problems.UNAUTHORIZED or needs_key(path)]
    refusals = {str(each): _problem(described, each) for each in statuses}
    return operation | {"responses": {"200": _answer(described), **refusals}}


def _answer(described: Operation) -> dict[str, Any]:
    shown = {} if described.example is None else {"example": described.example}
    content = described.content or {JSON: {"schema": {"$ref": f"{SCHEMAS}{described.answer}"}, **shown}}
    answer: dict[str, Any] = {"description": "Done", "content": content}
    if described.tag == SEGMENT:
        text = "Milliseconds of each stage"
        answer["headers"] = {"Server-Timing": {"description": text, "schema": {"type": "string"}}}
    return answer


def _problem(described: Operation, status: int) -> dict[str, Any]:
    # Keys are looked at, and what isn't HTTP is refused, before it is known whose route it is.
    if described.in_kserve_form and status not in problems.BEFORE_THE_ROUTE:
        return problems.kserve_response(status)
    return {"$ref": f"#/components/responses/{problems.NAMES[status]}"}
