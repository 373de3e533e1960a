"""Puts the document together: FastAPI's own list of routes, with the bodies, answers and problems it can't know of."""

from __future__ import annotations

from typing import Any
from warnings import catch_warnings, simplefilter

from fastapi import FastAPI

from hiseg.transports.http.content import JSON
from hiseg.transports.http.middleware import needs_key
from hiseg.transports.http.notes import NOTES_HEADER
from hiseg.transports.http.openapi import bodies, problems
from hiseg.transports.http.openapi.bodies import SCHEMAS
from hiseg.transports.http.openapi.operations import DESCRIBED, SEGMENT, TAGS, Operation
from hiseg.transports.http.openapi.plain import plain

SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where the service needs one"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in another header"},
}

HEADERS = {
    "Server-Timing": "Milliseconds of each stage",
    NOTES_HEADER: "Of a PNG: the notes on the image and its boxes as a list in JSON; left out if there are none",
}
"""Headers of an answer with masks."""


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
            for path, methods in sorted(found["paths"].items(), key=lambda item: _place(item[0]))
        },
        "components": {
            "schemas": plain(schemas | bodies.schemas()),
            "responses": problems.responses(),
            "securitySchemes": SECURITY,
        },
    }


def _place(path: str) -> int:
    """Where a path stands: as it is described, and at the end if it isn't."""
    known = list(dict.fromkeys(described for _, described in DESCRIBED))
    return known.index(path) if path in known else len(known)


def _operation(method: str, path: str, known: dict[str, Any]) -> dict[str, Any]:
    """An operation as FastAPI knows it, completed if it is described here."""
    described = DESCRIBED.get((method, path))
    if described is None:
        return known | {"responses": {key: each for key, each in known["responses"].items() if key == "200"}}
    path_parameters = [each for each in known.get("parameters", []) if each["in"] == "path"]
    first, _, rest = str(known["description"]).partition("\n")
    operation: dict[str, Any] = {"summary": first.rstrip("."), "description": rest.strip() or first}
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
    schema: dict[str, Any] = {"$ref": f"{SCHEMAS}{described.answer}"}
    content = described.content or {JSON: {"schema": _list_of(schema) if described.is_list else schema, **shown}}
    answer: dict[str, Any] = {"description": "Done", "content": content}
    if described.tag == SEGMENT:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()
        }
    return answer


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _problem(described: Operation, status: int) -> dict[str, Any]:
    # Keys are looked at, and what isn't HTTP is refused, before it is known whose route it is.
    if described.in_kserve_form and status not in problems.BEFORE_THE_ROUTE:
        return problems.kserve_response(status)
    return {"$ref": f"#/components/responses/{problems.NAMES[status]}"}
