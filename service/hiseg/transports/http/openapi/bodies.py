"""Requests as OpenAPI documents them, which FastAPI can't derive since handlers read bodies themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hiseg.api.encoding import MaskFormat
from hiseg.transports.http.body import JsonRequest
from hiseg.transports.http.content import JSON, MULTIPART, OCTETS
from hiseg.transports.http.form import JsonOptions
from hiseg.transports.http.kserve.management import IndexIn
from hiseg.transports.http.kserve.tensors import HEADER_LENGTH, InferIn
from hiseg.transports.http.label_studio.tasks import EventIn, PredictIn, SetupIn
from hiseg.transports.http.openapi import answers, examples
from hiseg.transports.http.openapi.plain import plain
from hiseg.transports.http.texts import QueryOptions

SCHEMAS = "#/components/schemas/"
BINARY = {"type": "string", "format": "binary"}
JSON_FORMATS = [each.value for each in MaskFormat if not each.is_image]
IMAGE_FORMATS = [MaskFormat.LABEL_MAP.value, MaskFormat.OVERLAY.value, MaskFormat.CUTOUT.value]
"""Formats that are one PNG for the whole image; ``cutout`` is if a PNG is asked for."""
MODELS: list[type[BaseModel]] = [JsonOptions, JsonRequest, InferIn, IndexIn, PredictIn, SetupIn, EventIn]
ANSWERS = [each for each in vars(answers).values() if isinstance(each, type) and issubclass(each, answers.Answer)]
RAW_DESCRIPTION = "The image itself, with the options in the query; its own type, such as `image/jpeg`, is taken too"


def schemas() -> dict[str, Any]:
    """The schemas of all bodies and answers, and of the types in them, by name."""
    kinds: Any = [(model, "validation") for model in MODELS] + [(model, "serialization") for model in ANSWERS]
    found: dict[str, Any] = models_json_schema(kinds, ref_template=SCHEMAS + "{model}")[1]["$defs"]
    del found[answers.Answer.__name__]
    found["JsonMaskFormat"] = {"type": "string", "enum": JSON_FORMATS, "description": "Formats of masks in JSON"}
    found["ImageMaskFormat"] = {
        "type": "string",
        "enum": IMAGE_FORMATS,
        "description": "Formats of masks as one PNG: people's numbers (`label_map`), the image with masks drawn"
        " (`overlay`), or the image with nothing but the people (`cutout`)",
    }
    for name in (JsonOptions.__name__, JsonRequest.__name__):
        found["Png" + name] = _with_format(found[name], as_png=True)
        found[name] = _with_format(found[name], as_png=False)
    for prefix in ("", "Png"):
        found[f"{prefix}MultipartRequest"] = _multipart(prefix)
    return found


def parameters(as_png: bool) -> list[dict[str, Any]]:
    """The options in the query of a request whose body is the image.

    See :func:`hiseg.transports.http.openapi.plain.plain` for their defaults: clients would send them with every form of
    a request, and options stand in one place.
    """
    return [
        {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
        for name, schema in _texts(as_png).items()
    ]


def _texts(as_png: bool) -> dict[str, Any]:
    """The schemas of the options by name, as they stand in a query, or in a form as fields of their own."""
    properties = QueryOptions.model_json_schema(ref_template=SCHEMAS + "{model}")["properties"]
    found = {}
    for name, schema in (properties | {"mask_format": _format_schema(as_png)}).items():
        found[name] = known = plain(schema)
        # Swagger UI would fill in an example, also beside a body that has its own options.
        known["description"] += "".join(f", e.g. `{example}`" for example in known.pop("examples", []))
    return found


def image_body(as_png: bool) -> dict[str, Any]:
    """The body of a request for masks in its three forms."""
    prefix = "Png" if as_png else ""
    options = {"mask_format": IMAGE_FORMATS[0]} if as_png else {"mask_format": JSON_FORMATS[0]}
    shown = {"boxes": examples.BOXES} | options
    content = {
        JSON: _content(f"{prefix}JsonRequest", shown | {"image": examples.IMAGE}),
        MULTIPART: {"schema": {"$ref": f"{SCHEMAS}{prefix}MultipartRequest"}},
        OCTETS: {"schema": {**BINARY, "description": RAW_DESCRIPTION}},
    }
    return {"required": True, "content": content}


def infer_body() -> dict[str, Any]:
    """The body of an inference request of the Open Inference Protocol."""
    return {
        "required": True,
        "description": f"With the header `{HEADER_LENGTH}` binary tensors follow the JSON.",
        "content": {JSON: _content("InferIn", examples.INFER)},
    }


def index_body() -> dict[str, Any]:
    """The body of a request for the index of the models, which may be empty."""
    return {"required": False, "content": {JSON: _content("IndexIn", {"ready": True})}}


def predict_body() -> dict[str, Any]:
    """The body of Label Studio's request for predictions."""
    return {"required": True, "content": {JSON: _content("PredictIn", examples.PREDICT)}}


def setup_body() -> dict[str, Any]:
    """The body with which Label Studio tells of a project."""
    shown = {"schema": examples.LABEL_CONFIG}
    return {"required": True, "content": {JSON: _content("SetupIn", shown)}}


def event_body() -> dict[str, Any]:
    """The body with which Label Studio tells of an event."""
    return {"required": True, "content": {JSON: _content("EventIn", {"action": "ANNOTATION_CREATED"})}}


def _content(schema: str, example: object) -> dict[str, Any]:
    return {"schema": {"$ref": SCHEMAS + schema}, "example": example}


def _format_schema(as_png: bool) -> dict[str, Any]:
    if as_png:
        return {"$ref": SCHEMAS + "ImageMaskFormat", "default": IMAGE_FORMATS[0], "description": "what the PNG shows"}
    text = "how masks are written; `/v1/segment/png` has those that are images"
    return {"$ref": SCHEMAS + "JsonMaskFormat", "default": JSON_FORMATS[0], "description": text}


def _with_format(schema: dict[str, Any], as_png: bool) -> dict[str, Any]:
    """A schema of options with the mask formats of one of the two routes."""
    return schema | {"properties": schema["properties"] | {"mask_format": _format_schema(as_png)}}


def _multipart(prefix: str) -> dict[str, Any]:
    image = {**BINARY, "description": "The image, as a file"}
    text = "All options in one, as JSON; no other field stands beside it"
    request = {"$ref": f"{SCHEMAS}{prefix}JsonOptions", "description": text}
    properties = {"image": image, "request": request, **_texts(as_png=bool(prefix))}
    return {"type": "object", "required": ["image"], "properties": properties}
