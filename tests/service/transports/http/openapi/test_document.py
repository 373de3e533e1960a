"""The document says what is answered: real answers are compared with it, and its examples are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from hiseg.core.reasons import Reason
from hiseg.transports.http.openapi.operations import DESCRIBED, TAGS

Document = dict[str, Any]
OF_A_MODEL = ["/v2/models/{name}" + rest for rest in ("", "/ready", "/config", "/stats")]


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> Document:
    """The document of a running service."""
    found: Document = client.get("/openapi.json").json()
    return found


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of all."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def check(document: Document, schema: dict[str, Any], value: object) -> None:
    """Compare a value with a schema of the document."""
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def answer_schema(document: Document, method: str, path: str) -> dict[str, Any]:
    """The schema of the JSON that an operation answers."""
    content = document["paths"][path][method]["responses"]["200"]["content"]
    schema: dict[str, Any] = content["application/json"]["schema"]
    return schema


def test_every_operation_is_described(document: Document) -> None:
    found = {(method, path) for method, path, _ in operations(document)}
    assert found == set(DESCRIBED)
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert next(iter(document["paths"])).startswith("/v1/segment")
    assert [tag["name"] for tag in document["tags"]] == [tag["name"] for tag in TAGS]


def test_every_operation_has_its_problems(document: Document) -> None:
    text = str(document)
    assert "HTTPValidationError" not in text
    for method, path, operation in operations(document):
        responses = operation["responses"]
        assert "500" in responses
        assert ("401" in responses) == (operation.get("security") != [])
        if "requestBody" in operation:
            assert {"405", "413", "415", "422", "429", "503", "504"} <= set(responses), (method, path)
    for name, response in document["components"]["responses"].items():
        for example in response["content"]["application/problem+json"]["examples"].values():
            check(document, {"$ref": "#/components/schemas/Problem"}, example["value"])
        if name in ("TooManyRequests", "ServiceUnavailable"):
            assert "Retry-After" in response["headers"]
    assert document["components"]["schemas"]["Reason"]["enum"] == [reason.value for reason in Reason]


def test_keys_can_be_given(document: Document) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["apiKey"]["name"]) == ("bearer", "X-API-Key")
    assert document["security"] == [{}, {"bearer": []}, {"apiKey": []}]


def test_options_of_the_query_have_no_defaults_that_clients_would_send(document: Document) -> None:
    parameters = document["paths"]["/v1/segment"]["post"]["parameters"]
    assert {"boxes", "variant", "mode", "mask_format", "threshold"} <= {each["name"] for each in parameters}
    for each in parameters:
        assert "default" not in each["schema"], each
        assert each["description"]


def test_no_example_and_no_schema_has_null(document: Document) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert "null" not in str(schema.get("properties", {})), name
        assert "title" not in schema


@pytest.mark.parametrize("path", ["/v1/info", "/v1/models", "/readyz", "/healthz", "/health", "/versions"])
def test_what_is_answered_is_what_the_document_says(client: httpx.Client, document: Document, path: str) -> None:
    answer = client.get(path).raise_for_status().json()
    schema = answer_schema(document, "get", path)
    check(document, schema, answer)
    name = schema["$ref"].rpartition("/")[2]
    assert set(answer) <= set(document["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models", *OF_A_MODEL])
def test_what_the_open_inference_protocol_answers(client: httpx.Client, document: Document, path: str) -> None:
    answer = client.get(path.replace("{name}", "hiseg_b0")).raise_for_status().json()
    check(document, answer_schema(document, "get", path), answer)


@pytest.mark.parametrize(
    "path", ["/v1/segment", "/v2/models/{name}/infer", "/v2/repository/index", "/predict", "/setup", "/webhook"]
)
def test_the_examples_are_real(client: httpx.Client, document: Document, path: str) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    check(document, content["schema"], content["example"])
    answer = client.post(path.replace("{name}", "hiseg_b0"), json=content["example"])
    assert answer.status_code == 200, answer.text
    check(document, answer_schema(document, "post", path), answer.json())
    shown = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"].get("example")
    if shown is not None:
        check(document, answer_schema(document, "post", path), shown)
        assert shown.keys() == answer.json().keys()


def test_every_schema_is_used(document: Document) -> None:
    text = str(document)
    for name in document["components"]["schemas"]:
        assert f"'#/components/schemas/{name}'" in text, name


@pytest.mark.parametrize("accept", ["image/png", "application/octet-stream", "*/*", "application/json;q=0.5, */*"])
def test_a_png_comes_under_the_name_that_is_accepted(client: httpx.Client, document: Document, accept: str) -> None:
    example = document["paths"]["/v1/segment/png"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = client.post("/v1/segment/png", json=example, headers={"accept": accept})
    assert answer.headers["content-type"] == (accept if accept == "application/octet-stream" else "image/png")
    assert answer.content.startswith(b"\x89PNG")
    refused = client.post("/v1/segment/png", json=example, headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["reason"]) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v1/segment", b"{", 422),
        ("/v1/segment", b'{"image": "R0lGODlh", "boxes": []}', 415),
        ("/predict", b"[]", 422),
        ("/v2/models/hiseg_b0/infer", b"{}", 422),
        ("/v2/models/nobody/infer", b"{}", 404),
    ],
)
def test_problems_are_what_the_document_says(
    client: httpx.Client, document: Document, path: str, content: bytes, status: int
) -> None:
    answer = client.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    name = "KserveError" if path.startswith("/v2") else "Problem"
    check(document, {"$ref": f"#/components/schemas/{name}"}, answer.json())
